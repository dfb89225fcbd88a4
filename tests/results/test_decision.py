import numpy as np
import pytest

from spi_lightning.errors import UserError
from spi_lightning.results.decision import DecisionRule


def test_a_frame_is_taken_at_the_threshold_and_doubted_near_it() -> None:
    decision, abstain = DecisionRule(0.6, 0.15)(np.array([0.3, 0.5, 0.6, 0.9], dtype=np.float32))
    np.testing.assert_array_equal(decision, [0, 0, 1, 1])
    np.testing.assert_array_equal(abstain, [False, True, True, False])


def test_without_a_band_nothing_is_doubted() -> None:
    assert not DecisionRule(0.5, 0.0)(np.array([0.5], dtype=np.float32))[1].any()


@pytest.mark.parametrize(("threshold", "band"), [(0.0, 0.1), (1.0, 0.1), (0.5, -0.1)])
def test_a_senseless_rule_is_a_user_error(threshold, band) -> None:
    with pytest.raises(UserError, match=r"decision\."):
        DecisionRule(threshold, band)


def test_undecided_frames_are_not_taken_whatever_the_threshold() -> None:
    undecided = np.array([True, False])
    for threshold in (0.2, 0.6):
        decision, abstain = DecisionRule(threshold, 0.0)(np.array([0.5, 0.9], dtype=np.float32), undecided)
        assert decision.tolist() == [0, 1] and abstain.tolist() == [True, False]
