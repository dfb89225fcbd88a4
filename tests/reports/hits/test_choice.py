import numpy as np

from spi_lightning.reports import choose_frames

PROBABILITY = np.array([0.9, 0.6, 0.45, 0.1, 0.8, 0.2], dtype=np.float32)
LABEL = np.array([1, 1, 1, 0, 0, -1])


def test_best_worst_and_most_uncertain_by_label() -> None:
    chosen = choose_frames(PROBABILITY, (PROBABILITY >= 0.5).astype(int), LABEL)
    assert {title: frames.tolist() for title, frames in chosen.items()} == {
        "Single hits found, surest first": [0, 1],
        "Single hits missed, worst first": [2],
        "False alarms, worst first": [4],
        "Others rejected, surest first": [3],
        "Most uncertain": [2, 1, 4, 5, 0, 3],
    }


def test_without_labels_by_probability_alone() -> None:
    chosen = choose_frames(PROBABILITY, (PROBABILITY >= 0.5).astype(int), count=2)
    assert chosen["Highest probability"].tolist() == [0, 4]
    assert chosen["Lowest probability"].tolist() == [3, 5]
    assert chosen["From highest to lowest, at even steps in rank"].tolist() == [0, 3]


def test_galleries_without_frames_are_left_out() -> None:
    perfect = choose_frames(np.array([0.9, 0.1], np.float32), np.array([1, 0]), np.array([1, 0]))
    assert "False alarms, worst first" not in perfect and "Single hits missed, worst first" not in perfect


def test_few_frames_without_labels_are_displayed_once() -> None:
    chosen = choose_frames(PROBABILITY, (PROBABILITY >= 0.5).astype(int))
    assert {title: frames.tolist() for title, frames in chosen.items()} == {
        "All frames, highest probability first": [0, 4, 1, 2, 5, 3]
    }
