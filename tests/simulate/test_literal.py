"""Han & Li's voxel route: interpolation, conventions, closed forms, and the simulator's labels."""

import math

import pytest
import torch
from torch import Tensor

from spi_lightning import fields
from spi_lightning.errors import UserError
from spi_lightning.fields import Kind
from spi_lightning.physics.ewald import scattering_vectors
from spi_lightning.physics.rotations.orientations import random_quaternions, rotation_matrices
from spi_lightning.simulate import (
    Brightness,
    GeometryRecipe,
    HitSimulator,
    LiteralHitSimulator,
    ParticleRecipe,
    SceneRecipe,
)
from spi_lightning.simulate.literal import electrons_squared, scattered_intensity, slice_intensity
from spi_lightning.simulate.particles.voxels import VoxelParticle, gaussian_blur, voxelise
from spi_lightning.simulate.scattering import Geometry
from tests.simulate.form_factors import box_form_factor, sphere_form_factor

SHAPE = (24, 24)


def geometry(count: int) -> Geometry:
    one = torch.ones(count)
    return Geometry(1569.4 * one, 0.581 * one, 2.4e-3 * one, torch.full((count, 2), 11.5))


def small_simulator(**changes: object) -> LiteralHitSimulator:
    recipe = ParticleRecipe({"icosahedron": 1, "torus": 1}, edge_blur=(1e-9, 3e-9))
    options = {
        "scene": SceneRecipe({"single": 1, "double": 1}, recipe),
        "shape": SHAPE,
        "block_size": 6,
        "voxels": 48,
        "padding": 64,
        "radius": (8.0, 11.0),
        "affine": 0.1,
        "twist": 0.5,
        "geometry": GeometryRecipe(pixel_size=(2.4e-3, 2.4e-3)),
    }
    return LiteralHitSimulator(**{**options, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("padding", [32, 33])
def test_slices_through_grid_points_are_exact(padding: int) -> None:
    cube = torch.rand(padding, padding, padding, generator=torch.Generator().manual_seed(0))
    index = torch.tensor([[0, 0, 0], [3, -4, 5], [-7, 2, -1]]).view(1, 1, 3, 3)
    expected = cube[tuple((index + padding // 2).unbind(-1))]
    torch.testing.assert_close(slice_intensity(cube, index / padding), expected, atol=1e-5, rtol=1e-5)


def test_slices_are_linear_in_between() -> None:
    n = torch.arange(16.0) - 8
    cube = 2 + n[:, None, None] - 3 * n[:, None] + 0.5 * n
    q = 0.4 * (torch.rand(1, 5, 5, 3, generator=torch.Generator().manual_seed(0)) - 0.5)
    expected = 2 + (q * 16) @ torch.tensor([1.0, -3.0, 0.5])
    torch.testing.assert_close(slice_intensity(cube, q), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("padding", [48, 64])
def test_intensity_is_that_of_the_sum_over_voxels(padding: int) -> None:
    density = torch.rand(12, 12, 12, generator=torch.Generator().manual_seed(0))
    intensity = scattered_intensity(density, padding)
    middle = padding // 2
    assert intensity[middle, middle, middle].item() == pytest.approx(density.sum().item() ** 2, rel=1e-5)
    assert intensity.mean().item() == pytest.approx(density.square().sum().item(), rel=1e-5)  # Parseval
    phase = torch.exp(-2j * math.pi * 3 * torch.arange(12) / padding)
    expected = (density.sum((1, 2)) * phase).sum().abs().square().item()
    assert intensity[middle + 3, middle, middle].item() == pytest.approx(expected, rel=1e-4)


def closed_form(body: str, orientation: Tensor, diameter: float) -> Tensor:
    q = scattering_vectors(SHAPE, *(v.double() for v in _lengths(len(orientation))))
    if body == "sphere":
        return sphere_form_factor(q, diameter / 2) ** 2
    in_body = q.flatten(1, 2) @ rotation_matrices(orientation.double())
    edge = diameter * (math.pi / 6) ** (1 / 3)
    return box_form_factor(in_body, torch.full((3,), edge, dtype=torch.float64)).square().view(q.shape[:-1])


def _lengths(count: int) -> tuple[Tensor, ...]:
    g = geometry(count)
    return g.pixel_size, g.distance, g.wavelength, g.beam_centre


@pytest.mark.parametrize("body", ["sphere", "cube"])
def test_sphere_and_cube_follow_their_closed_forms(body: str) -> None:
    """On the curved Ewald sphere, in random orientations; the trilinear slices cost two per cent here."""
    diameter, voxel_size = 60e-9, 60e-9 / 21
    voxels = voxelise([VoxelParticle(body, diameter / voxel_size)], size=40)
    density = 4.3e29 * math.pi / 6 * diameter**3 / (voxels.sum().item() * voxel_size**3)  # voxels round the volume
    orientation = random_quaternions(4, torch.Generator().manual_seed(0))
    found = electrons_squared(voxels * density, voxel_size, orientation, geometry(4), SHAPE, padding=160).double()
    expected = 4.3e29**2 * closed_form(body, orientation, diameter)
    assert (found - expected).abs().sum() / expected.sum() < 0.03


def test_blurred_edges_damp_the_transform_by_a_gaussian() -> None:
    density = voxelise([VoxelParticle("icosahedron", 20.0)], size=64)
    sharp, blurred = (scattered_intensity(d, 64) for d in (density, gaussian_blur(density, 1.5)))
    n = (torch.arange(64.0) - 32) / 64
    squared = n[:, None, None] ** 2 + n[:, None] ** 2 + n**2
    torch.testing.assert_close(blurred, sharp * torch.exp(-4 * (math.pi * 1.5) ** 2 * squared), rtol=1e-3, atol=100)


def test_voxels_too_coarse_for_the_detector_are_refused() -> None:
    density, orientation = torch.ones(8, 8, 8), torch.tensor([[1.0, 0, 0, 0]])
    with pytest.raises(ValueError, match="too coarse"):
        electrons_squared(density, 6e-9, orientation, geometry(1), SHAPE, padding=16)


def test_block_has_every_field_of_the_fast_simulator() -> None:
    literal = small_simulator()
    block = literal(3, seed=5)
    fast = HitSimulator(literal.scene, shape=SHAPE, block_size=6)(3, seed=5)
    assert block.keys() == fast.keys()
    for name, value in fast.items():
        assert (block[name].shape, block[name].dtype) == (value.shape, value.dtype), name


def test_block_is_one_model_in_many_orientations() -> None:
    block = small_simulator()(3, seed=5)
    for name in (fields.KIND, fields.BODY, fields.DIAMETER, fields.FLUENCE, fields.DISTANCE, fields.PARTICLE_ID):
        assert len(block[name].unique()) == 1, name
    assert block[fields.PARTICLE_ID][0] == 3
    assert len(block[fields.ORIENTATION].unique(dim=0)) == 6


def test_block_is_fixed_by_seed_and_index() -> None:
    simulator = small_simulator()
    first, again, other, next_block = (simulator(*key) for key in ((0, 1), (0, 1), (0, 2), (1, 1)))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first[fields.PHOTONS], other[fields.PHOTONS])
    assert not torch.equal(first[fields.PHOTONS], next_block[fields.PHOTONS])


def test_counts_follow_the_photon_label_and_singles_the_threshold() -> None:
    brightness = Brightness(median=2e4, sigma=0.1)
    for block in range(4):
        drawn = small_simulator(brightness=brightness, usable_photons=2e4)(block, seed=0)
        counted, expected = drawn[fields.PHOTONS].sum((1, 2)), drawn[fields.PHOTON_COUNT]
        assert ((counted - expected).abs() < 5 * expected.sqrt()).all()
        single = drawn[fields.KIND] == Kind.SINGLE
        assert torch.equal(drawn[fields.IS_SINGLE_HIT].bool(), single & (expected >= 2e4))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"padding": 32}, "padding=32 must be even and not less"),
        ({"radius": (0.0, 1.0)}, "radius positive"),
        ({"radius": (4.0, 4.0)}, "too coarse for the detector"),
        ({"scene": SceneRecipe({"single": 1}, ParticleRecipe(core_probability=0.5))}, "core_probability"),
    ],
)
def test_impossible_options_are_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        small_simulator(**changes)(0, seed=0)
