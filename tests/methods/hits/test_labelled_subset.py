import numpy as np
import pytest

from spi_lightning.errors import UserError
from spi_lightning.methods import GivenPlan

LABEL = np.array([1, 0, 1, 0, 0, -1, 1, 0, 1, 0, -1, 0])


def test_drawn_frames_are_of_both_labels_and_reproducible() -> None:
    given = GivenPlan(per_class=2, seed=3).drawn(LABEL)
    assert given.is_single_hit.sum() == 2 and len(given.frame) == 4
    np.testing.assert_array_equal(LABEL[given.frame], given.is_single_hit)
    np.testing.assert_array_equal(given.frame, GivenPlan(per_class=2, seed=3).drawn(LABEL).frame)


def test_every_labelled_frame_is_answered_once_without_its_own_label() -> None:
    folds = GivenPlan(folds=4).dealt(LABEL)
    answered = np.concatenate([frames for _, frames in folds])
    assert sorted(answered) == np.flatnonzero(LABEL >= 0).tolist()
    for given, frames in folds:
        assert not set(given.frame) & set(frames)
        assert set(given.frame) | set(frames) == set(answered)


def test_more_folds_than_frames_leave_one_out() -> None:
    assert all(len(frames) == 1 for _, frames in GivenPlan(folds=99).dealt(LABEL))


def test_a_plan_settles_by_how_many_labels_there_are() -> None:
    assert GivenPlan().settled(np.repeat([0, 1], 20)).per_class == 10
    assert GivenPlan().settled(np.repeat([0, 1], [16, 9])).folds == 25
    assert GivenPlan().settled(np.repeat([0, 1], [100, 9])).folds == 10
    assert GivenPlan(per_class=3).settled(None) == GivenPlan(per_class=3)


@pytest.mark.parametrize(
    ("plan", "label", "message"),
    [
        ({"per_class": 0}, LABEL, "given.per_class=0"),
        ({"folds": 1}, LABEL, "given.folds=1"),
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
        GivenPlan(**plan).drawn(label)


def test_folds_need_two_frames_of_each_label() -> None:
    with pytest.raises(UserError, match="two or more"):
        GivenPlan(folds=3).dealt(np.array([1, 0, 0, 0]))


def test_frames_that_are_not_there_are_refused_without_labels_too() -> None:
    with pytest.raises(UserError, match=r"given\.frames: 99 is not there; the file has frames 0 to 11 only"):
        GivenPlan(frames=[3, 99]).require_frames(12)
