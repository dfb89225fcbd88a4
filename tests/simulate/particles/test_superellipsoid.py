import math

import pytest
import torch

from spi_lightning.errors import UserError
from spi_lightning.physics.rotations.orientations import random_quaternions, rotation_matrices
from spi_lightning.simulate.particles.shape import UnitShape
from spi_lightning.simulate.particles.superellipsoid import (
    Superellipsoid,
    SuperellipsoidRecipe,
    grid,
    soft_amplitude,
    superellipsoid_extent,
    superellipsoid_gauge,
)
from spi_lightning.simulate.projection import chord_moments, sample_positions


def volume_of(half_axes: torch.Tensor, n: torch.Tensor, e: torch.Tensor) -> torch.Tensor:
    """Volume (B,), 2 a b c n e B(n/2 + 1, n) B(e/2, e/2); Jaklic, Leonardis & Solina (2000), Eq. 2.60."""

    def log_beta(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return torch.lgamma(a) + torch.lgamma(b) - torch.lgamma(a + b)

    return 2 * half_axes.prod(-1) * n * e * (log_beta(n / 2 + 1, n) + log_beta(e / 2, e / 2)).exp()


SHAPES = [(1.0, 1.0), (0.3, 0.3), (2.0, 2.0), (0.5, 1.5), (1.7, 0.4)]


@pytest.mark.parametrize(("n", "e"), SHAPES)
def test_voxels_fill_the_volume_of_the_closed_form(n: float, e: float) -> None:
    half_axes = torch.tensor([[15.0, 12.0, 9.0]])
    here = grid(40)[None]
    exponents = torch.tensor([n]), torch.tensor([e])
    gauge = superellipsoid_gauge(here, half_axes, *exponents)
    expected = volume_of(half_axes, *exponents)
    torch.testing.assert_close(soft_amplitude(here, gauge, 1.0).sum()[None], expected, rtol=0.02, atol=0)


def test_volume_of_sphere_box_and_octahedron() -> None:
    one, half_axes = torch.ones(1), torch.tensor([[1.0, 2.0, 3.0]])
    for exponent, expected in ((1.0, 4 * math.pi / 3), (0.01, 8.0), (2.0, 4 / 3)):
        volume = volume_of(half_axes, exponent * one, exponent * one)
        assert volume.item() == pytest.approx(6 * expected, rel=1e-3)


def test_the_z_term_bounds_the_body_along_z() -> None:
    on_axes = torch.tensor([[[4.0, 0, 0], [0, 5.0, 0], [0, 0, 6.0]]])
    gauge = superellipsoid_gauge(on_axes, torch.tensor([[4.0, 5.0, 6.0]]), torch.tensor([0.7]), torch.tensor([1.3]))
    torch.testing.assert_close(gauge, torch.ones(1, 3))


@pytest.mark.parametrize(("n", "e"), SHAPES)
def test_extent_is_that_of_the_turned_voxels(n: float, e: float) -> None:
    turn = rotation_matrices(random_quaternions(1, torch.Generator().manual_seed(1)))
    half_axes, exponents = torch.tensor([[18.0, 12.0, 9.0]]), (torch.tensor([n]), torch.tensor([e]))
    here = grid(64)
    gauge = superellipsoid_gauge(torch.einsum("zyxi,bij->bzyxj", here, turn), half_axes, *exponents)
    reached = here[gauge[0] <= 1].amax(0)
    extent = superellipsoid_extent(half_axes, *exponents, turn)[0]
    assert (reached <= extent + 1e-3).all()
    assert (reached > extent - 2.5).all()  # a sharp corner may pass between voxels


def test_bodies_fit_their_box_whatever_the_orientation() -> None:
    generator = torch.Generator().manual_seed(0)
    turn = rotation_matrices(random_quaternions(64, generator))
    amplitude = SuperellipsoidRecipe(half_axes=(0.9, 1.0), exponents=(0.1, 2.0))(16, turn, generator)
    faces = [amplitude.select(axis, side) for axis in (1, 2, 3) for side in (0, 15)]
    assert max(face.max() for face in faces) == 0
    assert amplitude.flatten(1).amax(1).min() == 1


@pytest.mark.parametrize("setting", [{"half_axes": (0.0, 0.5)}, {"exponents": (0.5, 3.0)}])
def test_impossible_settings_are_named(setting: dict[str, tuple[float, float]]) -> None:
    with pytest.raises(UserError, match=next(iter(setting))):
        SuperellipsoidRecipe(**setting)


def test_extent_of_a_body_that_is_nearly_an_octahedron_is_finite() -> None:
    """n = 2 has an infinite dual exponent; a power of it must not overflow."""
    half_axes, turn = torch.tensor([[2.2, 5.5, 2.2]]), rotation_matrices(random_quaternions(1, torch.Generator()))
    extent = superellipsoid_extent(half_axes, torch.tensor([1.9978]), torch.tensor([0.234]), turn)
    assert torch.isfinite(extent).all() and (extent < 8.5).all()


def test_a_soft_body_is_full_at_its_centre() -> None:
    turn = rotation_matrices(random_quaternions(8, torch.Generator().manual_seed(0)))
    amplitude = SuperellipsoidRecipe(edge=1.0)(32, turn, torch.Generator().manual_seed(0))
    assert (amplitude[:, 15:18, 15:18, 15:18] == 1).all()


@pytest.mark.parametrize(("exponents", "ratio"), [((1.0, 1.0), math.pi / 6), ((2.0, 2.0), 1 / 6), ((0.1, 0.1), 1.0)])
def test_a_superellipsoid_is_a_body_of_the_fast_generator(exponents: tuple[float, float], ratio: float) -> None:
    """Ball, octahedron and box by their share of the box around them; the chords hold the volume."""
    shape = Superellipsoid((0.5, 1.0, 1.0), *exponents)
    body = UnitShape(shape, "body")
    assert body.unit**3 * math.pi / 6 == pytest.approx(8 * 0.5 * ratio, rel=0.03)
    affine = rotation_matrices(random_quaternions(4, torch.Generator().manual_seed(0)))
    positions = sample_positions(torch.full((4,), body.radius), 64)
    volume = chord_moments(body, affine, positions)[0].sum((1, 2)) * (2 * body.radius / 64) ** 2
    torch.testing.assert_close(volume, torch.full((4,), math.pi / 6), rtol=0.02, atol=0)
