"""One rule for position and twin: every equivalent density gives the same answer."""

import pytest
import torch

from spi_lightning.physics.fourier import fourier
from spi_lightning.physics.support import ideal_support
from spi_lightning.physics.twin import (
    canonical,
    canonical_amplitude_phase,
    centre,
    centre_of_mass,
    invert,
    is_canonical,
    third_moment,
    twin,
)

SHAPES = ((24, 24), (25, 25), (24, 31), (16, 18, 17))


def blob(shape: tuple[int, ...], seed: int = 0, count: int = 3) -> torch.Tensor:
    """Random densities in the middle third of each axis."""
    density = torch.zeros(count, *shape)
    inner = tuple(slice(n // 3, 2 * n // 3) for n in shape)
    size = density[(slice(None), *inner)].shape
    density[(slice(None), *inner)] = torch.rand(size, generator=torch.Generator().manual_seed(seed))
    return density


@pytest.mark.parametrize("shape", SHAPES)
def test_the_twin_has_the_same_amplitudes_and_is_its_own_inverse(shape: tuple[int, ...]) -> None:
    ndim, density = len(shape), torch.polar(blob(shape), blob(shape, 1))
    torch.testing.assert_close(fourier(twin(density, ndim), ndim).abs(), fourier(density, ndim).abs())
    assert torch.equal(twin(twin(density, ndim), ndim), density)
    origin = tuple(n // 2 for n in shape)
    assert torch.equal(invert(density, ndim)[(..., *origin)], density[(..., *origin)])


@pytest.mark.parametrize("shape", SHAPES)
def test_twins_and_translations_have_one_canonical_form(shape: tuple[int, ...]) -> None:
    ndim, density = len(shape), blob(shape)
    axes = tuple(range(-ndim, 0))
    expected = canonical(density, ndim)
    assert is_canonical(expected, ndim).all()
    assert (centre_of_mass(expected, ndim).abs() <= 0.5 + 1e-4).all()
    for other in (twin(density, ndim), density.roll((5, -3, 7)[:ndim], axes), density.roll((11,) * ndim, axes)):
        assert torch.equal(canonical(other, ndim), expected)
    assert torch.equal(canonical(expected, ndim), expected)


def test_complex_densities_are_conjugated_in_the_twin() -> None:
    density = torch.polar(blob((24, 24)), blob((24, 24), 1))
    torch.testing.assert_close(canonical(twin(density, 2), 2), canonical(density, 2))


def test_the_third_moment_changes_sign_with_the_twin_and_vanishes_by_symmetry() -> None:
    density = blob((24, 24))
    torch.testing.assert_close(third_moment(twin(density, 2), 2), -third_moment(density, 2), rtol=1e-4, atol=1e-3)
    symmetric = density + twin(density, 2)
    assert is_canonical(symmetric, 2).all() and torch.equal(canonical(symmetric, 2), centre(symmetric, 2))
    torch.testing.assert_close(invert(symmetric, 2), symmetric)


def test_a_density_of_zeros_stays() -> None:
    assert torch.equal(canonical(torch.zeros(2, 8, 8), 2), torch.zeros(2, 8, 8))


def test_the_ideal_support_is_above_a_fraction_of_the_maximum() -> None:
    density = torch.zeros(2, 5, 5)
    density[0, 2, 2], density[0, 2, 3], density[0, 2, 1] = 2.0, 0.21, 0.2
    support = ideal_support(density)
    assert support[0].sum() == 2 and support[0, 2, 3] and not support[1].any()
    assert ideal_support(density[0] * torch.exp(torch.tensor(1j)), 0.05).sum() == 3


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("phase_range", [1.0, 6.0])
def test_complex_densities_that_share_a_pattern_have_one_canonical_form(
    shape: tuple[int, ...], phase_range: float
) -> None:
    ndim, amplitude = len(shape), blob(shape)
    axes = tuple(range(-ndim, 0))
    density = torch.polar(amplitude, torch.where(amplitude > 0, phase_range * blob(shape, 1), 0.0))
    expected = canonical(density, ndim)
    for other in (
        twin(density, ndim),
        density.roll((1, -2, 2)[:ndim], axes),
        density * torch.polar(torch.tensor(1.0), torch.tensor(2.0)),
    ):
        torch.testing.assert_close(canonical(other, ndim).abs(), expected.abs())


@pytest.mark.parametrize("shape", SHAPES)
def test_exactly_one_of_two_twins_is_meant_also_without_a_phase(shape: tuple[int, ...]) -> None:
    ndim, amplitude = len(shape), centre(blob(shape), len(shape))
    phased = torch.polar(amplitude, torch.where(amplitude > 0, blob(shape, 1), 0.0))
    for density in (amplitude, amplitude + 0j, phased):
        assert (is_canonical(density, ndim) ^ is_canonical(twin(density, ndim), ndim)).all()


def test_a_constant_phase_leaves_the_choice_to_the_third_moment() -> None:
    density = centre(blob((16, 18, 17)), 3)
    turned = density * torch.polar(torch.tensor(1.0), torch.tensor(0.7))
    assert torch.equal(is_canonical(turned, 3), is_canonical(density, 3))


def test_amplitude_and_phase_apart_agree_with_the_density() -> None:
    amplitude = torch.zeros(4, 9, 9, 9)
    amplitude[:, 2:7, 2:7, 2:7] = 1.0
    phase = torch.where(amplitude > 0, torch.rand(4, 9, 9, 9), 0.0)
    span = phase.flatten(1).amax(1)
    first = canonical_amplitude_phase(amplitude, phase, span)
    turned = torch.where(amplitude > 0, span[:, None, None, None] - invert(phase, 3), 0.0)
    second = canonical_amplitude_phase(invert(amplitude, 3), turned, span)
    for one, other in zip(first, second, strict=True):
        torch.testing.assert_close(one, other)
    assert is_canonical(torch.polar(*first), 3).all()
