"""Voxel bodies have the volumes, moments and symmetries of the bodies they stand for."""

import math

import pytest
import torch

from spi_lightning.physics.rotations.orientations import random_quaternions, rotation_matrices
from spi_lightning.simulate.particles.voxels import VoxelParticle, gaussian_blur, inside_body, random_affine, voxelise
from spi_lightning.simulate.projection import BODIES, TORUS_RATIO, outer_radius


def turned(seed: int = 0) -> torch.Tensor:
    return rotation_matrices(random_quaternions(1, torch.Generator().manual_seed(seed)))[0]


@pytest.mark.parametrize("body", BODIES)
def test_every_body_has_the_volume_of_its_sphere(body: str) -> None:
    """A random turn keeps faces off the lattice; 40 voxels across leave about half a per cent of rounding."""
    density = voxelise([VoxelParticle(body, 40.0, turned(), centre=torch.tensor([0.3, -0.4, 0.2]))], size=96)
    assert density.sum().item() == pytest.approx(math.pi / 6 * 40**3, rel=0.006)
    assert set(density.unique().tolist()) == {0.0, 1.0}


@pytest.mark.parametrize("body", BODIES)
def test_outer_radius_holds_the_body_and_touches_it(body: str) -> None:
    generator = torch.Generator().manual_seed(0)
    direction = torch.nn.functional.normalize(torch.randn(200_000, 3, generator=generator), dim=1)
    radius = outer_radius(body)
    assert not inside_body(body, direction * radius * 1.001).any()
    assert inside_body(body, direction * radius * 0.93).any()


def test_torus_has_a_hole_along_z() -> None:
    z = torch.tensor([[0.0, 0.0, 0.0], [0.3, 0.0, 0.0]])
    major = outer_radius("torus") / (1 + TORUS_RATIO)
    assert not inside_body("torus", z).any()
    assert inside_body("torus", torch.tensor([0.0, 0.6, 0.8]) * major)


def test_a_cube_on_the_lattice_is_exact() -> None:
    edge = (math.pi / 6) ** (1 / 3)
    density = voxelise([VoxelParticle("cube", 7 / edge)], size=32)
    assert density.sum() == 7**3
    assert density[16 - 3 : 16 + 4, 16 - 3 : 16 + 4, 16 - 3 : 16 + 4].min() == 1


def test_affine_map_scales_volume_and_second_moments() -> None:
    """An ellipsoid: the mean of r r^T is A A^T D^2 / 20."""
    affine = turned(1) @ torch.diag(torch.tensor([1.3, 0.9, 0.7])) @ turned(2)
    density = voxelise([VoxelParticle("sphere", 40.0, affine)], size=72)
    r = density.nonzero().double() - 36
    expected = (affine @ affine.T).double() * 40**2 / 20
    torch.testing.assert_close(r.T @ r / len(r), expected, atol=1.0, rtol=0.0)
    assert len(r) == pytest.approx(math.pi / 6 * 40**3 * torch.linalg.det(affine).item(), rel=0.006)


def test_twist_keeps_volume_and_turns_each_slice() -> None:
    """A quarter turn per diameter: the section of a cube half a diameter up is turned by 45 degrees."""
    edge = (math.pi / 6) ** (1 / 3)
    diameter = 33 / edge
    twist = math.pi / 4 / (0.4 * edge)
    plain, twisted = (voxelise([VoxelParticle("cube", diameter, twist=t)], size=72) for t in (0.0, twist))
    assert twisted.sum().item() == pytest.approx(plain.sum().item(), rel=0.01)
    assert torch.equal(twisted[36], plain[36])
    up = 36 + round(0.4 * 33)
    y, x = (twisted[up].nonzero() - 36).double().unbind(1)
    assert (y.abs() + x.abs()).max() <= 33 / 2 * math.sqrt(2) + 1.5  # a diamond
    assert y.abs().max() > 33 / 2 * 1.3


def test_cluster_is_the_union_of_its_particles() -> None:
    centres = torch.tensor([[0.0, 0.0, -10.0], [0.0, 0.0, 10.0], [0.0, 17.3, 0.0]])
    apart = [VoxelParticle("sphere", 18.0, centre=centre) for centre in centres]
    total = sum(voxelise([one], size=64).sum() for one in apart)
    assert voxelise(apart, size=64).sum() == total
    assert voxelise([apart[0], apart[0]], size=64).max() == 1


def test_particle_that_leaves_the_cube_is_refused() -> None:
    with pytest.raises(ValueError, match="not within 32 voxels"):
        voxelise([VoxelParticle("sphere", 20.0, centre=torch.tensor([8.0, 0.0, 0.0]))], size=32)


def test_blur_keeps_the_sum_and_adds_its_variance() -> None:
    point = torch.zeros(33, 33, 33, dtype=torch.float64)
    point[16, 16, 16] = 5
    blurred = gaussian_blur(point, 2.0)
    assert blurred.sum().item() == pytest.approx(5)
    n = torch.arange(33, dtype=torch.float64) - 16
    for axis in range(3):
        line = blurred.sum([a for a in range(3) if a != axis]) / 5
        assert (line * n**2).sum().item() == pytest.approx(4.0, rel=2e-3)  # the kernel ends at 4 sigma
    assert torch.equal(gaussian_blur(point, 0.0), point)


def test_random_affine_keeps_volume_and_has_its_strength() -> None:
    generator = torch.Generator().manual_seed(0)
    maps = torch.stack([random_affine(0.1, generator) for _ in range(2000)])
    torch.testing.assert_close(torch.linalg.det(maps), torch.ones(2000), atol=1e-5, rtol=0)
    assert maps.diagonal(dim1=1, dim2=2).log().std().item() == pytest.approx(0.1 * math.sqrt(2 / 3), rel=0.1)
    torch.testing.assert_close(random_affine(0.0, generator), torch.eye(3))
