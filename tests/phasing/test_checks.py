"""What photon noise explains of an error, and what is said of the rest."""

import pytest
import torch

from spi_lightning.phasing import hold_out
from spi_lightning.phasing.checks import comes_of_the_offset, plateau_note, symmetry_notes
from spi_lightning.physics.fourier import fourier
from spi_lightning.physics.photons import counting_error, holds_counts
from spi_lightning.physics.twin import invert


def amplitude(photons: float) -> torch.Tensor:
    """True Fourier amplitude (1, 48, 48) of a lopsided density, of so many photons."""
    y, x = torch.meshgrid(*(torch.arange(48) - 24,) * 2, indexing="ij")
    inside = (y > -7) & (x > -6) & (y + x < 7)
    found = fourier(torch.where(inside, 1.0 + 0.1 * y, 0.0), 2).abs()
    return found[None] * (photons / found.square().sum()).sqrt()


@pytest.mark.parametrize("photons", [300, 1e3, 1e4, 1e6])
def test_the_error_of_the_true_density_is_that_of_counting(photons: float) -> None:
    true = amplitude(photons)
    counts = torch.poisson(true.square().expand(20, -1, -1), generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(counts, dtype=torch.bool)
    left = (counts.sqrt() - true).flatten(1).norm(dim=1) / counts.sqrt().flatten(1).norm(dim=1)
    torch.testing.assert_close(counting_error(counts.sqrt(), mask).mean(), left.mean(), rtol=0.15, atol=0)
    assert counting_error(true, mask[:1]) == 0


def test_roots_of_counts_are_distinguished_from_relative_intensities() -> None:
    counts = torch.poisson(amplitude(1e7).square())
    assert holds_counts(counts.sqrt()).all() and not holds_counts(amplitude(1e7)).any()
    assert not holds_counts(1e-4 * amplitude(1.0)).any()


def test_a_plateau_that_noise_explains_is_not_spoken_of() -> None:
    error = torch.full((400, 2), 0.12)
    (notes,) = map(str, plateau_note(error, 2))
    assert "stays at 0.120;" in notes and not notes.startswith("pattern")
    assert plateau_note(error, 2, torch.tensor([0.118])) == []
    assert "of which photon noise explains 0.050" in plateau_note(error, 2, torch.tensor([0.05]))[0].text


def test_a_pattern_no_real_density_has_differs_from_a_noisy_one() -> None:
    mask = torch.ones(1, 48, 48, dtype=torch.bool)
    counts = torch.poisson(amplitude(2e3).square(), generator=torch.Generator().manual_seed(0))
    y = torch.arange(48)[:, None] - 24
    skew = amplitude(1e6) * (1 + 0.2 * torch.sign(y))
    assert "differs from its own inversion" in symmetry_notes(skew, mask)[0].text
    assert symmetry_notes(counts.sqrt(), mask) == symmetry_notes(amplitude(1e6), mask) == []


def sampled(beside: tuple[float, float], phase: float = 0.0) -> torch.Tensor:
    """Fourier amplitude (48, 48) of a lopsided density whose centre lies beside pixel n // 2; real where phase is 0."""
    y, x = torch.meshgrid(*(torch.arange(48) - 24,) * 2, indexing="ij")
    inside = (y > -7) & (x > -6) & (y + x < 7)
    ramp = 2 * torch.pi * (beside[0] * y + beside[1] * x) / 48 + phase * torch.sin(0.6 * y + 0.3 * x)
    found = fourier(torch.polar(torch.where(inside, 1.0 + 0.1 * y, 0.0), ramp), 2).abs()
    counts = torch.poisson(found.square() * 1e6 / found.square().sum(), generator=torch.Generator().manual_seed(0))
    return counts.sqrt()


@pytest.mark.parametrize("beside", [(0.4, 0.2), (-0.2, 0.2), (0.5, -0.5)])
@pytest.mark.parametrize("hidden", [False, True])
def test_an_asymmetry_of_sampling_beside_the_centre_is_not_one_of_the_density(
    beside: tuple[float, float], hidden: bool
) -> None:
    mask = torch.ones(48, 48, dtype=torch.bool)
    if hidden:
        mask[23:26, 23:26] = False
        mask[:, 30:32] = False
    real, strained = sampled(beside) * mask, sampled(beside, 0.8) * mask
    assert comes_of_the_offset(real, mask, beside) and not comes_of_the_offset(strained, mask, beside)
    assert not comes_of_the_offset(real, mask, (0.0, 0.01)) and not comes_of_the_offset(real, mask, (-beside[0], 0.5))
    (line,) = map(str, symmetry_notes(real[None], mask[None], beside))
    assert f"the beam lies ({beside[0]:+.2f}, {beside[1]:+.2f}) pixels beside" in line
    assert "complex" not in line and "check the beam" not in line


def test_the_bin_that_puts_the_beam_nearer_to_the_middle_of_a_pixel_is_named() -> None:
    pattern, mask = sampled((0.5, -0.5))[None], torch.ones(1, 48, 48, dtype=torch.bool)
    assert "data.bin=2 puts" in symmetry_notes(pattern, mask, (0.5, -0.5))[0].text
    assert "data.bin=1 puts" in symmetry_notes(pattern, mask, (0.2, -0.2), 2)[0].text
    assert "no other data.bin is nearer" in symmetry_notes(pattern, mask, (0.2, 0.3))[0].text


def test_of_a_scan_no_beam_centre_is_doubted() -> None:
    y = torch.arange(48)[:, None] - 24
    pattern = (amplitude(1e6) * (1 + 0.2 * torch.sign(y))).expand(1, 5, 48, 48)
    (line,) = map(str, symmetry_notes(pattern, torch.ones(1, 5, 48, 48, dtype=torch.bool)))
    assert line.endswith("try phasing.constraint=complex")


@pytest.mark.parametrize("shape", [(64, 64), (33, 40), (16, 16, 16)])
def test_pairs_are_held_out_together_and_the_centre_never(shape: tuple[int, ...]) -> None:
    mask = torch.rand(shape, generator=torch.Generator().manual_seed(3)) > 0.1
    fitted, held = hold_out(mask, 0.05, seed=0, ndim=len(shape))
    assert bool((fitted ^ held).eq(mask).all())
    assert not bool((held & invert(fitted, len(shape))).any())
    middle = tuple(slice(n // 2 - 2, n // 2 + 3) for n in shape)
    assert not bool(held[middle].any())
    assert float(held.sum() / mask.sum()) == pytest.approx(0.05, abs=0.012)


def test_draws_differ_by_seed_and_repeat() -> None:
    mask = torch.ones(32, 32, dtype=torch.bool)
    first, again, other = (hold_out(mask, 0.05, seed, 2, pairs=False)[1] for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
