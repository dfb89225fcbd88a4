"""What photon noise explains of an error, and what is said of the rest."""

import pytest
import torch

from spi_lightning.phasing.checks import counting_error, holds_counts, plateau_note, symmetry_notes
from spi_lightning.physics.fourier import fourier


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


def test_roots_of_counts_are_told_from_relative_intensities() -> None:
    counts = torch.poisson(amplitude(1e7).square())
    assert holds_counts(counts.sqrt()).all() and not holds_counts(amplitude(1e7)).any()
    assert not holds_counts(1e-4 * amplitude(1.0)).any()


def test_a_plateau_that_noise_explains_is_not_spoken_of() -> None:
    error = torch.full((400, 2), 0.12)
    (told,) = plateau_note(error, 2)
    assert "stays at 0.120;" in told and not told.startswith("pattern")
    assert plateau_note(error, 2, torch.tensor([0.118])) == []
    assert "of which photon noise explains 0.050" in plateau_note(error, 2, torch.tensor([0.05]))[0]


def test_a_pattern_no_real_density_has_is_told_from_a_noisy_one() -> None:
    mask = torch.ones(1, 48, 48, dtype=torch.bool)
    counts = torch.poisson(amplitude(2e3).square(), generator=torch.Generator().manual_seed(0))
    y = torch.arange(48)[:, None] - 24
    skew = amplitude(1e6) * (1 + 0.2 * torch.sign(y))
    assert "differs from its own inversion" in symmetry_notes(skew, mask)[0]
    assert symmetry_notes(counts.sqrt(), mask) == symmetry_notes(amplitude(1e6), mask) == []
