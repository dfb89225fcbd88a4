import numpy as np

from spi_lightning.reports import choose_frames
from spi_lightning.reports.hits.choice import FALSE_ALARMS, MISSED, NEAREST, REJECTED, SELECTED, STEPS, UNCERTAIN

PROBABILITY = np.array([0.9, 0.55, 0.45, 0.1, 0.8, 0.2], dtype=np.float32)
LABEL = np.array([1, 1, 1, 0, 0, -1])
DECIDED = (PROBABILITY, (PROBABILITY >= 0.5).astype(int), np.abs(PROBABILITY - 0.5) < 0.1)


def test_selected_frames_come_first_then_uncertain_ones_then_errors() -> None:
    chosen = {title: frames.tolist() for title, frames in choose_frames(*DECIDED, LABEL).items()}
    assert list(chosen) == [SELECTED, UNCERTAIN, MISSED, FALSE_ALARMS, REJECTED]
    assert set(chosen.pop(UNCERTAIN)) == {1, 2}  # equally near
    assert chosen == {SELECTED: [0, 4], MISSED: [2], FALSE_ALARMS: [4], REJECTED: [3, 5]}


def test_an_unlabelled_file_has_the_same_but_errors() -> None:
    assert list(choose_frames(*DECIDED)) == [SELECTED, UNCERTAIN, REJECTED]
    many = np.linspace(0, 1, 100, dtype=np.float32)
    chosen = choose_frames(many, (many > 0.5).astype(int), np.abs(many - 0.5) < 0.1, count=3)
    assert chosen[STEPS].tolist() in ([99, 49, 0], [99, 50, 0]) and all(len(frames) == 3 for frames in chosen.values())


def test_galleries_without_frames_are_left_out() -> None:
    sure = np.zeros(2, dtype=bool)
    chosen = choose_frames(np.array([0.9, 0.1], np.float32), np.array([1, 0]), sure, np.array([1, 0]))
    assert list(chosen) == [SELECTED, NEAREST, REJECTED]
