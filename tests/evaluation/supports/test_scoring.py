"""Scores of supports against values computed by hand: three patterns of structure 7, one of structure 3."""

import numpy as np
import pytest

from spi_lightning.evaluation.supports.scoring import SupportScoring, columns_of

STRUCTURE = np.array([7, 7, 7, 3])
COLUMNS = {
    "area": np.array([10, 12, 14, 20], dtype=np.float32),
    "false_negatives": np.array([0, 1, 2, 5], dtype=np.float32),
    "centrosymmetry": np.array([0.9, 0.96, 1.0, 0.5], dtype=np.float32),
    "true_centrosymmetry": np.array([0.9, 0.9, 0.9, 1.0], dtype=np.float32),
}


def test_means_are_over_patterns() -> None:
    numbers = SupportScoring(STRUCTURE)(COLUMNS)
    assert (numbers["test/frames"], numbers["test/structures"]) == (4, 2)
    assert numbers["test/area"] == 14 and numbers["test/false_negatives"] == 2
    assert numbers["test/centrosymmetry_broken"] == 0.5  # 0.9 and 0.5 lie below 0.95
    assert numbers["test/true_centrosymmetry_broken"] == 0.75
    assert numbers["test/below_two_false_negatives"] == 0.5  # 0 and 1 are allowed, 2 is not
    assert "test/true_centrosymmetry" not in numbers


def test_the_worst_structure_has_the_least_share_of_complete_supports() -> None:
    numbers = SupportScoring(STRUCTURE)(COLUMNS)
    assert numbers["test/worst_structure"] == 3 and numbers["test/worst_structure_below_two_false_negatives"] == 0
    better = SupportScoring(STRUCTURE)({**COLUMNS, "false_negatives": np.array([0, 1, 2, 1], dtype=np.float32)})
    assert better["test/worst_structure"] == 7
    assert better["test/worst_structure_below_two_false_negatives"] == pytest.approx(2 / 3)


def test_the_bootstrap_draws_structures() -> None:
    """Two draws out of two structures: both 7 or both 3 in a quarter of the replicates each, which are the ends."""
    numbers = SupportScoring(STRUCTURE)(COLUMNS)
    assert [numbers[f"test/false_negatives/{end}"] for end in ("low", "high")] == [1, 5]
    assert [numbers[f"test/area/{end}"] for end in ("low", "high")] == [12, 20]
    assert [numbers[f"test/centrosymmetry_broken/{end}"] for end in ("low", "high")] == pytest.approx([1 / 3, 1])


def test_patterns_of_unknown_structure_are_drawn_one_by_one() -> None:
    numbers = SupportScoring(np.full(4, -1), replicates=4000)(COLUMNS)
    assert numbers["test/structures"] == 4 and numbers["test/false_negatives"] == 2
    drawn = np.array(np.meshgrid(*[COLUMNS["false_negatives"]] * 4)).reshape(4, -1).mean(0)  # all 256 draws
    low, high = np.quantile(drawn, [0.025, 0.975])
    assert numbers["test/false_negatives/low"] == pytest.approx(low, abs=0.25)
    assert numbers["test/false_negatives/high"] == pytest.approx(high, abs=0.25)
    assert numbers["test/worst_structure"] == -1


def test_without_a_truth_areas_and_centrosymmetry_are_scored() -> None:
    support = np.zeros((2, 8, 8), dtype=bool)
    support[0, 2:5, 2:5] = True  # 9 pixels, its own inversion
    support[1, 2, 2:4] = support[1, 3, 2] = True  # 3 pixels, of which 2 fall onto the inversion at best
    columns = columns_of(support, None)
    assert columns["area"].tolist() == [9, 3]
    np.testing.assert_allclose(columns["centrosymmetry"], [1, 2 / 3], rtol=1e-5)
    numbers = SupportScoring(np.array([0, 1]))(columns)
    assert numbers["test/centrosymmetry_broken"] == 0.5 and "test/worst_structure" not in numbers
