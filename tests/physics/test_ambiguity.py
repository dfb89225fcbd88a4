"""One rule for position and twin: every equivalent density gives the same answer."""

import pytest
import torch

from spi_lightning.physics.ambiguity import (
    canonical_twin,
    centre,
    centre_of_mass,
    invert,
    is_canonical,
    third_moment,
    twin,
)
from spi_lightning.physics.fourier import fourier
from spi_lightning.physics.support import asymmetry, ideal_support

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
    canonical = canonical_twin(density, ndim)
    assert is_canonical(canonical, ndim).all()
    assert (centre_of_mass(canonical, ndim).abs() <= 0.5 + 1e-4).all()
    for other in (twin(density, ndim), density.roll((5, -3, 7)[:ndim], axes), density.roll((11,) * ndim, axes)):
        assert torch.equal(canonical_twin(other, ndim), canonical)
    assert torch.equal(canonical_twin(canonical, ndim), canonical)


def test_complex_densities_are_conjugated_in_the_twin() -> None:
    density = torch.polar(blob((24, 24)), blob((24, 24), 1))
    torch.testing.assert_close(canonical_twin(twin(density, 2), 2), canonical_twin(density, 2))


def test_the_third_moment_changes_sign_with_the_twin_and_vanishes_by_symmetry() -> None:
    density = blob((24, 24))
    torch.testing.assert_close(third_moment(twin(density, 2), 2), -third_moment(density, 2), rtol=1e-4, atol=1e-3)
    symmetric = density + twin(density, 2)
    assert is_canonical(symmetric, 2).all() and torch.equal(canonical_twin(symmetric, 2), centre(symmetric, 2))
    torch.testing.assert_close(asymmetry(symmetric), torch.zeros(3), atol=1e-6, rtol=0)
    assert (asymmetry(density) > 0.1).all() and (asymmetry(density) <= 1).all()


def test_a_density_of_zeros_stays() -> None:
    assert torch.equal(canonical_twin(torch.zeros(2, 8, 8), 2), torch.zeros(2, 8, 8))


def test_the_ideal_support_is_above_a_fraction_of_the_maximum() -> None:
    density = torch.zeros(2, 5, 5)
    density[0, 2, 2], density[0, 2, 3], density[0, 2, 1] = 2.0, 0.21, 0.2
    support = ideal_support(density)
    assert support[0].sum() == 2 and support[0, 2, 3] and not support[1].any()
    assert ideal_support(density[0] * torch.exp(torch.tensor(1j)), 0.05).sum() == 3
