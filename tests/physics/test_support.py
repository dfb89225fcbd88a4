"""None"""

from typing import Any

import pytest
import torch
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.physics.fourier import fourier
from spi_lightning.physics.support import (
    autocorrelation,
    autocorrelation_support,
    fill_unmeasured,
    own_parts,
    shot_noise,
)
from tests.phasing.particles import particle


def middle_and_lobe(ndim: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A middle of 3 pixels an edge, and a lobe of 2 an edge apart from it; (1, ...)."""
    middle, lobe = torch.zeros(2, 1, *(24,) * ndim, dtype=torch.bool)
    middle[0][(slice(11, 14),) * ndim] = True
    lobe[0][(slice(3, 5),) * ndim] = True
    return middle, lobe


@pytest.mark.parametrize("ndim", [2, 3])
def test_by_default_only_what_hangs_together_with_the_origin_is_kept(ndim: int) -> None:
    middle, lobe = middle_and_lobe(ndim)
    assert torch.equal(own_parts(middle | lobe, ndim), middle)
    middle[0][(14,) * ndim] = True  # touches by its corner
    assert torch.equal(own_parts(middle | lobe, ndim), middle)


@pytest.mark.parametrize("ndim", [2, 3])
def test_side_lobes_are_kept_and_specks_are_not(ndim: int) -> None:
    middle, lobe = middle_and_lobe(ndim)
    speck = torch.zeros_like(middle)
    speck[0][(20,) * ndim] = True
    whole, size = middle | lobe | speck, 2**ndim
    assert torch.equal(own_parts(whole, ndim, smallest=size), middle | lobe)
    assert torch.equal(own_parts(whole, ndim, smallest=size + 1), middle)
    assert torch.equal(own_parts(whole, ndim, smallest=1, share=size / 3**ndim), middle | lobe)
    assert torch.equal(own_parts(whole, ndim, smallest=1, share=1.01 * size / 3**ndim), middle)


def test_each_image_is_judged_by_itself() -> None:
    middle, lobe = middle_and_lobe(2)
    stack = torch.stack([middle, lobe, middle | lobe])  # (3, 1, 24, 24); parts that overlap from image to image
    alone = torch.stack([own_parts(image, 2, 4, 0.3) for image in stack])
    assert torch.equal(own_parts(stack, 2, 4, 0.3), alone)
    assert not own_parts(lobe).any()  # w = 0 is not inside
    assert own_parts(stack[:0]).shape == (0, 1, 24, 24)


def two_spots(size: int = 32) -> Tensor:
    density = torch.zeros(1, size, size, dtype=torch.float64)
    density[0, size // 2, size // 2], density[0, size // 2 + 3, size // 2 - 5] = 1.0, 2.0
    return density


def round_particle(size: int = 64) -> Tensor:
    y, x = torch.meshgrid(torch.arange(size) - size // 2, torch.arange(size) - size // 2, indexing="ij")
    return ((y / 7) ** 2 + (x / 9) ** 2 <= 1).double()[None]


@pytest.mark.parametrize("size", [32, 33])
def test_two_spots_have_three_peaks(size: int) -> None:
    found = autocorrelation(fourier(two_spots(size), 2).abs().square()) * size
    middle = size // 2
    expected = torch.zeros(1, size, size, dtype=torch.float64)
    expected[0, middle, middle] = 5
    expected[0, middle + 3, middle - 5] = expected[0, middle - 3, middle + 5] = 2
    torch.testing.assert_close(found, expected, atol=1e-9, rtol=0)


@pytest.mark.parametrize("size", [64, 65])
def test_support_of_the_autocorrelation_is_the_difference_set(size: int) -> None:
    region, _ = autocorrelation_support(fourier(round_particle(size), 2).abs().square(), threshold=1e-6, photons=False)
    points = (round_particle(size)[0] > 0).nonzero()
    differences = (points[:, None] - points[None]).reshape(-1, 2) + size // 2
    expected = torch.zeros(size, size, dtype=torch.bool)
    expected[differences[:, 0], differences[:, 1]] = True
    assert torch.equal(region[0], expected)


def test_friedel_mates_replace_missing_pixels() -> None:
    intensity = fourier(two_spots(), 2).abs().square()
    mask = torch.ones_like(intensity, dtype=torch.bool)
    mask[0, 3:9, 4:30] = False
    torch.testing.assert_close(fill_unmeasured(intensity, mask), intensity)


def test_missing_centre_is_filled() -> None:
    intensity = fourier(round_particle(), 2).abs().square()
    y, x = torch.meshgrid(torch.arange(64) - 32, torch.arange(64) - 32, indexing="ij")
    mask = ((y**2 + x**2) > 1)[None]
    filled = fill_unmeasured(intensity * mask, mask)
    torch.testing.assert_close(filled[0, 32, 32], intensity[0, 32, 32], rtol=0.02, atol=0)
    assert torch.equal(filled[mask], intensity[mask])
    ideal, _ = autocorrelation_support(intensity, threshold=0.01)
    region, _ = autocorrelation_support(intensity * mask, mask, threshold=0.01)
    unfilled = autocorrelation(intensity * mask) > 0.01 * autocorrelation(intensity * mask)[0, 32, 32]
    assert (region ^ ideal).sum() < 0.15 * ideal.sum() < (unfilled ^ ideal).sum()


def test_only_some_patterns_lack_their_centre() -> None:
    intensity = fourier(round_particle(), 2).abs().square().repeat(2, 1, 1)
    mask = torch.ones_like(intensity, dtype=torch.bool)
    mask[1, 32, 32] = False
    filled = fill_unmeasured(intensity, mask)
    assert torch.equal(filled[0], intensity[0])
    assert filled[1, 32, 32] > 0


def test_small_holes_in_faint_patterns_stay_finite() -> None:
    generator = torch.Generator().manual_seed(1)
    y, x = torch.meshgrid(torch.arange(64) - 32, torch.arange(64) - 32, indexing="ij")
    high, wide, photons = (torch.rand(200, 1, 1, generator=generator) for _ in range(3))
    ellipse = (y / (4 + 8 * high)).square() + (x / (4 + 8 * wide)).square() < 1
    intensity = fourier(ellipse * (1 + torch.rand(200, 64, 64, generator=generator)), 2).abs().square()
    counts = torch.poisson(intensity / intensity.sum((1, 2), keepdim=True) * 10 ** (3 + 3 * photons), generator)
    mask = (y.square() + x.square()).sqrt() >= 4 * torch.rand(200, 1, 1, generator=generator)
    filled = fill_unmeasured(counts * mask, mask)
    assert torch.isfinite(filled).all()
    assert filled.amax() < 10 * counts.amax()


def test_nothing_measured_stays_zero() -> None:
    intensity = torch.ones(2, 16, 16)
    mask = torch.zeros(2, 16, 16, dtype=torch.bool)
    mask[1] = True
    assert fill_unmeasured(intensity, mask)[0].eq(0).all()
    region, _ = autocorrelation_support(intensity, mask)
    assert region[0].sum() == 1  # the origin alone


def test_shot_noise_is_that_of_repeated_counts() -> None:
    expected = fourier(round_particle(), 2).abs().square().float() * 5
    torch.manual_seed(0)
    counts = torch.poisson(expected.expand(300, -1, -1))
    spread = autocorrelation(counts).std(dim=0)[:20, :20].mean()
    torch.testing.assert_close(shot_noise(expected)[0], spread, rtol=0.08, atol=0)


def test_noise_raises_the_threshold_of_counts_alone() -> None:
    torch.manual_seed(0)
    counts = torch.poisson(fourier(round_particle(), 2).abs().square().float())
    exact, _ = autocorrelation_support(fourier(round_particle(), 2).abs().square().float(), threshold=1e-4)
    noisy, _ = autocorrelation_support(counts, threshold=1e-4, noise=0, connected=False)
    cleaned, _ = autocorrelation_support(counts, threshold=1e-4)
    assert noisy.sum() > 1.5 * exact.sum()
    assert 0.4 * exact.sum() < cleaned.sum() < exact.sum()


@pytest.mark.parametrize("bad", [{"threshold": 0.0}, {"threshold": 1.0}, {"noise": -1.0}])
def test_impossible_settings_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="threshold="):
        autocorrelation_support(torch.ones(1, 8, 8), **bad)


def test_the_region_holds_any_particle_moved_into_it() -> None:
    density, support = particle(48, 2)
    found = autocorrelation_support(fourier(density, 2).abs().square()[None], threshold=1e-5, noise=0)[0][0]
    for row, column in support.nonzero()[::40].tolist():
        assert bool(found[torch.roll(support, (24 - row, 24 - column), (0, 1))].all())
    assert float(found.float().mean()) < 0.95
