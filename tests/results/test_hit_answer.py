import numpy as np

from spi_lightning.results.decision import DecisionRule
from spi_lightning.results.hit_answer import HitAnswer, mean_answer


def test_mean_of_two_answers_decides_anew() -> None:
    one, other = (HitAnswer(values, values) for values in np.array([[0.2, 0.9], [0.6, 0.3]], dtype=np.float32))
    mean = mean_answer([one, other])
    np.testing.assert_allclose(mean.probability, [0.4, 0.6], rtol=1e-6)
    decision, abstain = DecisionRule(0.5, 0.12)(mean.probability)
    assert decision.tolist() == [0, 1] and abstain.all()
