"""The end for noise-free patterns: met in a support that is the particle; noisy ones go the ordinary way."""

import pytest
import torch
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.phasing.polishing.exact import Exact, polish_exactly
from spi_lightning.phasing.polishing.wrapped import Wrapping, polish_wrapped
from spi_lightning.phasing.shrinkwrap import largest_voxels
from spi_lightning.physics.array import pad
from spi_lightning.physics.fourier import fourier

SHAPE = (16, 16, 16)
SHORT = Exact(recipe="60*HIO(0.7) + 40*ER + shrinkwrap(0.7, 0.15)/10", turns=2, steps=150, level=0.01)


def drawn(count: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    """Densities, the Fourier amplitudes they give, and masks, (count, *SHAPE)."""
    generator = torch.Generator().manual_seed(4)
    phase = torch.randn(count, 5, 6, 4, generator=generator, dtype=torch.float64)
    truth = pad(torch.polar(torch.ones_like(phase), 0.4 * phase), SHAPE)
    return truth, fourier(truth, ndim=3).abs(), torch.ones(count, *SHAPE, dtype=torch.bool)


def spoilt(truth: Tensor) -> Tensor:
    noise = torch.randn(truth.shape, generator=torch.Generator().manual_seed(1), dtype=truth.dtype)
    return truth + 0.1 * noise * largest_voxels(truth, torch.full((len(truth),), 300.0), 0.7)


def test_a_noise_free_pattern_is_met_to_rounding_in_the_particle_alone() -> None:
    truth, amplitude, mask = drawn()
    notes: list[tuple[int, Tensor]] = []
    start = largest_voxels(truth, torch.full((2,), 300.0), 0.7)
    found = polish_exactly(
        spoilt(truth), amplitude, mask, start, SHORT, lambda step, total, chi: notes.append((step, chi))
    )
    assert (found.chi_square < 1e-9).all()
    assert found.support[truth != 0].all() and (found.support.flatten(1).sum(1) < 1.35 * 120).all()
    overlap = (found.density * truth.conj()).flatten(1).sum(1).abs() / truth.abs().square().flatten(1).sum(1)
    torch.testing.assert_close(overlap, torch.ones_like(overlap), rtol=1e-4, atol=0)
    steps, lowest = [step for step, _ in notes], torch.stack([chi for _, chi in notes])
    assert steps == sorted(set(steps)) and (lowest[1:] <= lowest[:-1]).all()


def test_wrapping_takes_it_for_noise_free_patterns_alone() -> None:
    truth, amplitude, mask = drawn(1)
    counts = torch.poisson(100 * amplitude.square(), generator=torch.Generator().manual_seed(2))
    assert not SHORT.applies_to(counts.sqrt().float(), mask) and SHORT.applies_to(1e6 * amplitude.float(), mask)
    options = {"growth": (1.5,), "rounds": 1, "steps": 5, "last_steps": 5}
    exact, without = Wrapping(**options, exact=SHORT), Wrapping(**options, exact=None)
    assert (polish_wrapped(spoilt(truth), amplitude, mask, exact).chi_square < 1e-9).all()
    assert (polish_wrapped(spoilt(truth), amplitude, mask, without).chi_square > 1e-9).all()
    noisy, plain = (polish_wrapped(spoilt(truth), counts.sqrt(), mask, each) for each in (exact, without))
    torch.testing.assert_close(noisy.density, plain.density)  # tried in float64, thrown away
    assert noisy.growth == 1.5


def test_mistakes_are_named() -> None:
    with pytest.raises(UserError, match="turns"):
        Exact(turns=0)
    with pytest.raises(UserError, match="phasing recipe"):
        Exact(recipe="40*HAO")
