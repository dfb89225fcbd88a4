import numpy as np
import pytest

from spi_lightning.errors import UserError
from spi_lightning.methods import Answer, DecisionRule, ensemble


def answer(name: str, probability: list[float]) -> Answer:
    values = np.array(probability, dtype=np.float32)
    return Answer(name, np.arange(len(values)), values, values, *DecisionRule()(values), seconds=1.0)


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


def test_an_ensemble_is_the_mean_of_probabilities_decided_anew() -> None:
    mean = ensemble([answer("a", [0.2, 0.9]), answer("b", [0.6, 0.3])], DecisionRule(0.5, 0.12))
    np.testing.assert_allclose(mean.probability, [0.4, 0.6], rtol=1e-6)
    np.testing.assert_array_equal(mean.decision, [0, 1])
    assert mean.abstain.all()
    assert mean.seconds == 2.0
