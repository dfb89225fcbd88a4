"""Examples of a simulated set."""

import numpy as np
import pytest

from spi_lightning.reports.simulated.set_pictures import pick_examples


@pytest.mark.parametrize("count", [1, 5, 12, 100])
def test_examples_are_spread_over_the_kinds(count: int) -> None:
    kind = np.array([0] * 20 + [1] * 3 + [5] * 2)
    frames = pick_examples(kind, count)
    assert len(set(frames)) == min(count, 25)
    of = np.bincount(kind[frames], minlength=6)[[0, 1, 5]]
    assert of.tolist() == {1: [1, 0, 0], 5: [2, 2, 1], 12: [7, 3, 2], 100: [20, 3, 2]}[count]
    assert (np.diff(kind[frames]) >= 0).all()
