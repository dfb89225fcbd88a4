import numpy as np
import pytest

from spi_lightning.metrics.hits.method_agreement import agreement_matrix, common_set, intersections, mcnemar

LABEL = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0, 0])
FIRST = LABEL.copy()
SECOND = np.array([1, 0, 0, 1, 1, 1, 1, 0, 0, 0])  # wrong five times, each where the first is right


def test_mcnemar_is_the_binomial_probability_of_the_split() -> None:
    test = mcnemar(FIRST, SECOND, LABEL)
    assert (test.only_first, test.only_second) == (5, 0)
    assert test.p_value == pytest.approx(2 * 0.5**5)
    swapped = mcnemar(SECOND, FIRST, LABEL)
    assert (swapped.only_first, swapped.p_value) == (0, pytest.approx(test.p_value))


def test_methods_without_a_difference_are_not_distinguished() -> None:
    assert mcnemar(SECOND, SECOND, LABEL).p_value == 1


def test_agreement_is_symmetric_with_ones_on_the_diagonal() -> None:
    matrix = agreement_matrix([FIRST, SECOND, 1 - FIRST])
    np.testing.assert_array_equal(matrix, matrix.T)
    np.testing.assert_array_equal(np.diag(matrix), 1)
    assert matrix[0, 1] == 0.5 and matrix[0, 2] == 0


def test_groups_share_out_every_frame_that_anybody_takes() -> None:
    groups = intersections([FIRST, SECOND])
    assert groups[0][0] == (1,) and groups[0][1].tolist() == [4, 5, 6]
    assert {members: frames.tolist() for members, frames in groups} == {(1,): [4, 5, 6], (0,): [1, 2], (0, 1): [0, 3]}
    assert common_set([FIRST, SECOND]).tolist() == [0, 3]
