from dataclasses import replace

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from spi_lightning.baselines.vectors import AngularVectors
from spi_lightning.errors import UserError
from spi_lightning.io import PatternFile
from spi_lightning.methods import GraphCut
from spi_lightning.progress import Listener
from spi_lightning.results.decision import DecisionRule
from spi_lightning.results.hit_answer import TrainingLabels
from tests.hit_runs import answer_of


def cut(**options) -> GraphCut:
    return GraphCut(AngularVectors(rings=6, brightness=1.0), device="cpu", **options)


def labels_of(*frames: int) -> TrainingLabels:
    frame = np.array(frames)
    return TrainingLabels(frame, frame % 2)  # the labels of make_file


def blank(make_file, count: int, empty: tuple[int, ...]) -> PatternFile:
    """A file of which some frames are wholly masked."""
    patterns = make_file(count, masks=2)
    read = patterns.frame_masks.read

    class Blanked:
        def read(self, start: int, stop: int) -> np.ndarray:
            masks = read(start, stop).copy()
            masks[np.isin(np.arange(start, stop), empty)] = False
            return masks

    return replace(patterns, frame_masks=Blanked())


def test_two_labelled_frames_of_each_label_sort_the_others(make_file) -> None:
    patterns = make_file(40)
    answer = answer_of(cut(), patterns, labels_of(0, 1, 2, 3))
    assert (answer.decision == np.arange(40) % 2).all()
    assert ((answer.score >= 0) & (answer.score <= 1)).all() and answer.score.dtype == np.float32


def test_the_settings_in_conf_make_the_method(make_file, request) -> None:
    settings = OmegaConf.load(request.config.rootpath / "conf" / "method" / "graph_cut.yaml")
    settings.vectors.brightness = 1.0  # all that tells these frames apart
    method = instantiate(settings, _partial_=True, _convert_="all")(name="cut")
    answer = answer_of(method, make_file(40), labels_of(0, 1, 2, 3), DecisionRule(0.4))
    assert answer.name == "cut" and method.needs_labels and (answer.decision == np.arange(40) % 2).mean() > 0.9


def test_other_labels_do_not_matter(make_file) -> None:
    labelled, bare = make_file(40), make_file(40, labelled=False, name="b.h5")
    labels = labels_of(0, 1, 2, 3)
    np.testing.assert_array_equal(answer_of(cut(), labelled, labels).score, answer_of(cut(), bare, labels).score)


def test_folds_read_the_file_once(make_file) -> None:
    class Counting(AngularVectors):
        calls = 0

        def __call__(self, photons: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            Counting.calls += 1
            return super().__call__(photons, mask)

    patterns, method = make_file(30), GraphCut(Counting(rings=6), device="cpu")
    first, second = answer_of(method, patterns, labels_of(0, 1)), answer_of(method, patterns, labels_of(2, 3, 4))
    assert Counting.calls == 1 and not np.array_equal(first.score, second.score)


def test_frames_out_of_reach_abstain_and_the_parts_are_counted(make_file) -> None:
    listener = Listener()
    answer = answer_of(cut(neighbours=1), make_file(40), labels_of(0, 1), listener=listener)
    undecided = answer.probability == 0.5
    assert undecided.any() and answer.abstain[undecided].all() and (answer.decision[undecided] == 0).all()
    assert "unconnected parts" in str(listener.notes[0])


def test_frames_without_measured_pixels_abstain(make_file) -> None:
    patterns, listener = blank(make_file, 30, (4, 5)), Listener()
    answer = answer_of(cut(), patterns, labels_of(0, 1, 2, 3), listener=listener)
    assert answer.abstain[[4, 5]].all() and (answer.decision[[4, 5]] == 0).all()
    assert any("2 frames without measured pixels" in str(note) for note in listener.notes)
    with pytest.raises(UserError, match="0 labelled single hits"):
        answer_of(cut(), patterns, labels_of(0, 2, 5))


def test_labelled_frames_can_be_held(make_file) -> None:
    wrong = TrainingLabels(np.array([0, 1, 2, 3, 5]), np.array([1, 1, 0, 1, 1]))
    patterns = make_file(40)
    free, held = (answer_of(cut(hold_labelled=hold, smoothness=30.0), patterns, wrong) for hold in (False, True))
    assert not np.array_equal(free.score, held.score)


def test_rows_give_values_between(make_file) -> None:
    answer = answer_of(cut(ball="rows"), make_file(40), labels_of(0, 1, 2, 3))
    assert (answer.decision == np.arange(40) % 2).mean() > 0.9


def test_an_unfinished_cut_is_noted(make_file) -> None:
    listener = Listener()
    answer_of(cut(max_iter=1), make_file(40), labels_of(0, 1, 2, 3), listener=listener)
    assert any("iterations" in str(note) for note in listener.notes)


@pytest.mark.parametrize(
    ("labels", "options", "words"),
    [
        (None, {}, "labelled frames"),
        (labels_of(0, 2), {}, "single hits"),
        (labels_of(1, 3), {}, "other hits"),
        (labels_of(0, 1), {"neighbours": 20}, "neighbours must be from 1 to 19"),
    ],
)
def test_too_little_to_go_by_is_named(make_file, labels, options, words) -> None:
    with pytest.raises(UserError, match=words):
        answer_of(cut(**options), make_file(20), labels)
