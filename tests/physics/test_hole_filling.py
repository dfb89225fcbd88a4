from typing import Any

import pytest
import torch

from spi_lightning.physics.bragg.preparation import prepare
from spi_lightning.physics.hole_filling import fill_holes
from spi_lightning.physics.oversampling import estimate_oversampling
from tests.physics.bragg.test_hot_voxels import PEAK, SHAPE, crystal

EVERYWHERE = slice(None)


@pytest.mark.parametrize(
    "where",
    [(13,), (slice(11, 13),), (EVERYWHERE, slice(18, 22)), (EVERYWHERE, slice(14, 18)), (..., slice(15, 17))],
)
def test_holes_do_not_make_a_scan_look_coarse(where: tuple[Any, ...]) -> None:
    counts = crystal()
    mask = torch.ones(SHAPE, dtype=torch.bool)
    mask[where] = False
    whole, found = estimate_oversampling(counts), estimate_oversampling(torch.where(mask, counts, 0.0), mask)
    assert found.ratio == pytest.approx(whole.ratio, rel=0.15)
    zeros = estimate_oversampling(torch.where(mask, counts, 0.0))
    assert min(zeros.ratio) < 2 < min(found.ratio)


def test_what_lies_outside_of_the_scan_stays_empty_and_what_was_measured_stays() -> None:
    counts = crystal()
    mask = torch.ones(SHAPE, dtype=torch.bool)
    mask[:4] = mask[:, :5] = mask[..., 27:] = mask[13] = False
    filled = fill_holes(torch.where(mask, counts, 0.0), mask)
    assert torch.equal(filled[mask], counts[mask]) and filled[13, 10, 10] > 0
    assert not filled[:4].any() and not filled[:, :5].any() and not filled[..., 27:].any()


def test_holes_of_a_2d_pattern_are_filled() -> None:
    counts = crystal()[12]
    mask = torch.ones(32, 32, dtype=torch.bool)
    mask[17] = False
    error = (fill_holes(torch.where(mask, counts, 0.0), mask) - counts)[17].norm() / counts[17].norm()
    assert float(error) < 0.1


@pytest.mark.parametrize("where", [(12,), (slice(11, 14),), (EVERYWHERE, slice(15, 18)), (..., 16)])
def test_a_peak_that_was_not_measured_is_found(where: tuple[Any, ...]) -> None:
    counts = crystal()
    counts[where] = torch.nan
    made = prepare(counts, SHAPE)
    assert made.peak == PEAK and torch.equal(~made.mask, counts.isnan())
