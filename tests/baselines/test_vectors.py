"""Patterns as vectors: measured pixels only, gaps filled, and correlations over what both measured."""

import pytest
import torch

from spi_lightning.baselines.vectors import PixelVectors, masked_correlation
from spi_lightning.errors import UserError


def rings(count: int = 4, edge: int = 16) -> torch.Tensor:
    """Patterns that depend on the radius alone, (count, edge, edge)."""
    radius = torch.hypot(*torch.meshgrid(*[torch.arange(edge).float() - edge // 2] * 2, indexing="ij"))
    return 20 * torch.exp(-radius.round() / torch.arange(3, 3 + count)[:, None, None])


def gaps(count: int = 4, edge: int = 16) -> torch.Tensor:
    mask = torch.ones(count, edge, edge, dtype=torch.bool)
    for frame in range(count):
        mask[frame, 3 + frame : 5 + frame] = False
    return mask


def test_a_shared_mask_leaves_its_pixels_out() -> None:
    photons, mask = torch.rand(3, 8, 8), torch.ones(8, 8, dtype=torch.bool)
    mask[:2, :2] = False
    vectors = PixelVectors(bin=2, scale="none")(photons, mask)
    assert vectors.shape == (3, 15)
    torch.testing.assert_close(vectors[:, 0], photons[:, :2, 2:4].sum((1, 2)))
    assert torch.equal(PixelVectors(bin=2)(photons + 9 * ~mask, mask), PixelVectors(bin=2)(photons, mask))


@pytest.mark.parametrize("scale", ["none", "sqrt", "log"])
def test_a_gap_is_filled_from_its_ring(scale) -> None:
    photons = rings()
    filled = PixelVectors(bin=1, scale=scale)(photons * gaps(), gaps())
    whole = PixelVectors(bin=1, scale=scale)(photons, torch.ones(16, 16, dtype=torch.bool))
    torch.testing.assert_close(filled, whole)


def test_the_square_root_makes_photon_noise_alike_everywhere() -> None:
    mean = torch.tensor([1.0, 5.0, 50.0, 500.0])
    photons = torch.poisson(mean.expand(4000, 1, 1, 4).expand(4000, 1, 4, 4).contiguous()[:, 0])
    spread = PixelVectors(bin=1)(photons, torch.ones(4, 4, dtype=torch.bool)).std(0)
    torch.testing.assert_close(spread, torch.ones(16), atol=0.2, rtol=0)


def test_filling_by_the_mean_leaves_nothing_to_a_correlation() -> None:
    photons, mask = torch.rand(2, 8, 8), torch.ones(2, 8, 8, dtype=torch.bool)
    mask[:, 2:5] = False
    filled = PixelVectors(bin=1, fill="mean")(photons, mask)
    measured = PixelVectors(bin=1)(photons, mask[0])
    torch.testing.assert_close(torch.corrcoef(filled), torch.corrcoef(measured))


def test_frames_without_measured_pixels_hold_numbers() -> None:
    photons, mask = torch.rand(2, 8, 8), torch.ones(2, 8, 8, dtype=torch.bool)
    mask[1] = False
    assert torch.isfinite(PixelVectors()(photons, mask)).all()
    assert PixelVectors(fill="nan")(photons, mask)[1].isnan().all()


def test_pairwise_correlation_is_pearsons_over_common_pixels() -> None:
    vectors = PixelVectors(bin=1, fill="nan")(torch.poisson(rings()), gaps())
    found = masked_correlation(vectors, vectors)
    for first in range(4):
        for second in range(4):
            both = ~vectors[first].isnan() & ~vectors[second].isnan()
            expected = torch.corrcoef(torch.stack([vectors[first, both], vectors[second, both]]))[0, 1]
            assert float(found[first, second]) == pytest.approx(float(expected), abs=1e-5)


@pytest.mark.parametrize("measured", [0.1, 0.4, 1.0])
def test_a_pattern_correlates_with_itself_to_one_whatever_is_masked(measured) -> None:
    mask = torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(2)) < measured
    vectors = PixelVectors(bin=1, scale="none", fill="nan")(50 + torch.poisson(rings(3)), mask)
    torch.testing.assert_close(masked_correlation(vectors, vectors).diagonal(), torch.ones(3))


def test_pairs_without_common_pixels_are_as_far_as_can_be() -> None:
    vectors = torch.tensor([[1.0, 2.0, torch.nan, torch.nan], [torch.nan, torch.nan, 1.0, 2.0], [5.0, 5.0, 5.0, 5.0]])
    found = masked_correlation(vectors, vectors)
    assert torch.equal(found[0, 1:], torch.tensor([-1.0, -1.0]))


@pytest.mark.parametrize("options", [{"scale": "cube"}, {"fill": "noise"}, {"bin": 0}])
def test_unknown_options_are_named(options) -> None:
    with pytest.raises(UserError, match=f"vectors.{next(iter(options))}"):
        PixelVectors(**options)
