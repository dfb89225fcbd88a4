import numpy as np
import pytest

from spi_lightning.metrics.hits.classification_curves import at_purity, risk_and_coverage

LABEL = np.array([1, 1, 0, 1, 0, 0])
PROBABILITY = np.array([0.9, 0.8, 0.7, 0.6, 0.2, 0.1])


def test_purity_takes_as_many_frames_as_it_may() -> None:
    found = at_purity(PROBABILITY, LABEL, 0.75)
    assert (found.threshold, found.frames, found.recall) == (0.6, 4, 1.0)
    assert found.false_positive_rate == pytest.approx(1 / 3)
    pure = at_purity(PROBABILITY, LABEL, 1.0)
    assert (pure.threshold, pure.frames, pure.recall) == (0.8, 2, pytest.approx(2 / 3))


def test_ties_are_taken_together_or_not_at_all() -> None:
    assert at_purity(np.full(6, 0.5), LABEL, 0.6) is None
    assert at_purity(np.full(6, 0.5), LABEL, 0.5).frames == 6


def test_risk_at_full_coverage_is_the_error_rate() -> None:
    coverage, risk = risk_and_coverage(PROBABILITY, LABEL, 0.5)
    assert coverage[-1] == 1 and risk[-1] == pytest.approx(1 / 6)
    assert risk[0] == 0  # the surest frame is right


def test_undecided_frames_are_the_least_confident_and_not_taken() -> None:
    undecided = np.array([True, False, False, False, False, False])
    coverage, risk = risk_and_coverage(PROBABILITY, LABEL, 0.5, undecided)
    assert risk[-1] == pytest.approx(2 / 6)  # frame 2 is a false alarm, and frame 0, a single hit, is not taken
    assert risk[0] == 0 and coverage[-1] == 1
    assert risk[-2] == pytest.approx(1 / 5)
