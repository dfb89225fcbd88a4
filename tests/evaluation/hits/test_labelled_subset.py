import numpy as np
import pytest

from spi_lightning.errors import UserError
from spi_lightning.evaluation.hits.question import LabelledSubset

LABEL = np.array([1, 0, 1, 0, 0, -1, 1, 0, 1, 0, -1, 0])


def test_drawn_frames_are_of_both_labels_and_reproducible() -> None:
    labels = LabelledSubset(per_class=2, seed=3).draw(LABEL)
    assert labels.is_single_hit.sum() == 2 and len(labels.frame) == 4
    np.testing.assert_array_equal(LABEL[labels.frame], labels.is_single_hit)
    np.testing.assert_array_equal(labels.frame, LabelledSubset(per_class=2, seed=3).draw(LABEL).frame)


def test_every_labelled_frame_is_answered_once_without_its_own_label() -> None:
    folds = LabelledSubset(folds=4).deal(LABEL)
    answered = np.concatenate([frames for _, frames in folds])
    assert sorted(answered) == np.flatnonzero(LABEL >= 0).tolist()
    for labels, frames in folds:
        assert not set(labels.frame) & set(frames)
        assert set(labels.frame) | set(frames) == set(answered)


def test_more_folds_than_frames_leave_one_out() -> None:
    assert all(len(frames) == 1 for _, frames in LabelledSubset(folds=99).deal(LABEL))


def test_numbers_are_filled_in_by_how_many_labels_there_are() -> None:
    assert LabelledSubset().resolved(np.repeat([0, 1], 20)).per_class == 10
    assert LabelledSubset().resolved(np.repeat([0, 1], [16, 9])).folds == 25
    assert LabelledSubset().resolved(np.repeat([0, 1], [100, 9])).folds == 10
    assert LabelledSubset(per_class=3).resolved(None) == LabelledSubset(per_class=3)


@pytest.mark.parametrize(
    ("plan", "label", "message"),
    [
        ({"per_class": 0}, LABEL, "training_labels.per_class=0"),
        ({"folds": 1}, LABEL, "training_labels.folds=1"),
        ({"folds": 2, "frames": [1]}, LABEL, "exclude each other"),
        ({"per_class": 4}, LABEL, "4 frames labelled single hits"),
        ({"frames": [5]}, LABEL, "frame 5 has no label"),
        ({"frames": [12]}, LABEL, "0 to 11"),
        ({"per_class": 2}, None, "data.keys.label"),
        ({"per_class": 1}, np.full(5, -1), "data.keys.label"),
    ],
)
def test_mistakes_name_the_option(plan, label, message) -> None:
    with pytest.raises(UserError, match=message):
        LabelledSubset(**plan).draw(label)


def test_folds_need_two_frames_of_each_label() -> None:
    with pytest.raises(UserError, match="two or more"):
        LabelledSubset(folds=3).deal(np.array([1, 0, 0, 0]))


def test_frames_that_are_not_there_are_refused_without_labels_too() -> None:
    with pytest.raises(UserError, match=r"training_labels\.frames: 99 is not there; the file has frames 0 to 11"):
        LabelledSubset(frames=[3, 99]).require_frames(12)
