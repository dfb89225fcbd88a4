"""What tuning changed: networks before and after."""

import numpy as np

from spi_lightning.evaluation.hits.tuned import AFTER, BEFORE, changes
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
