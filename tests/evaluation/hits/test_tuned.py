"""What tuning changed: networks before and after."""

import numpy as np

from spi_lightning.evaluation.hits.tuned import AFTER, BEFORE, changes, decision_shift
from spi_lightning.results.decision import DecisionRule
from spi_lightning.results.hit_answer import HitAnswer
from spi_lightning.results.hits import DecidedAnswer, HitResult


def test_frames_that_changed_sides_are_named() -> None:
    rule, photons = DecisionRule(0.5, 0.1), np.array([10.0, 20.0, 30.0, 40.0])
    answers = [
        DecidedAnswer.of(name, HitAnswer(np.array(p, dtype=np.float32), np.array(p, dtype=np.float32)), rule)
        for name, p in ((BEFORE, [0.9, 0.1, 0.45, 0.9]), (AFTER, [0.1, 0.9, 0.2, 0.9]))
    ]
    result = HitResult(
        path="x",
        format="y",
        shape=(4, 8, 8),
        rule=rule,
        primary_name=AFTER,
        answers=answers,
        columns={"photons": photons},
    )
    found = changes(result)
    assert (found["now_taken"], found["no_longer_taken"], found["frames"]) == ([1], [0], 4)
    assert found[BEFORE] == {"taken": 2, "uncertain": 1, "mean_photons": 25.0}
    assert found[AFTER] == {"taken": 2, "uncertain": 0, "mean_photons": 30.0}


def test_the_border_of_two_groups_of_answers_is_found_without_labels() -> None:
    random = np.random.default_rng(0)
    single, other = random.normal(3.5, 0.5, 150), random.normal(-1.5, 1.5, 150)
    border = decision_shift(np.concatenate([single, other]))
    assert 1.0 < border < 2.5 and (single > border).mean() > 0.98 and (other < border).mean() > 0.95
    assert decision_shift(random.normal(3, 1, 300)) == 0, "one group"
    assert decision_shift(np.concatenate([single[:10], other[:10]])) == 0, "too few hits"
    assert decision_shift(np.concatenate([single, other[:8]])) == 0, "hardly any other hit"
