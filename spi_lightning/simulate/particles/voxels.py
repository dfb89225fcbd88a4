"""Particles as arrays of voxels, 1 inside and 0 outside, as in Han & Li (2017), Sect. 3.

Lengths here are in voxels, ordered z, y, x, and the origin is voxel n // 2 of each axis. Bodies, and their size as the
diameter of the sphere of the same volume, are those of the fast generator.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import ceil

import torch
import torch.nn.functional as F
from torch import Tensor

from spi_lightning.physics.rotations.orientations import rotation_matrices
from spi_lightning.simulate.projection import BODIES, TORUS_RATIO, outer_radius
from spi_lightning.simulate.scattering import Particles

from .polyhedra import COMPOSITES, POLYHEDRA, composite, face_planes, polyhedron

_BLUR_REACH = 3  # widths beyond which Gaussian edges may leave the cube


@dataclass(frozen=True)
class VoxelParticle:
    """Particle in an array of voxels.

    Attributes:
        body: Name of a body in ``simulate.projection.BODIES``.
        diameter: Diameter of the sphere of the same volume, voxel, before the affine map.
        affine: (3, 3) map from the body to the array, rotation times stretch.
        twist: Rotation about the z axis of the body, rad per diameter along it; keeps the volume.
        centre: (3,) position from the origin, voxel.
    """

    body: str
    diameter: float
    affine: Tensor = field(default_factory=lambda: torch.eye(3))
    twist: float = 0.0
    centre: Tensor = field(default_factory=lambda: torch.zeros(3))

    @property
    def reach(self) -> float:
        """Radius of a sphere around the centre that holds the whole particle, voxels."""
        return self.diameter * outer_radius(self.body) * float(torch.linalg.matrix_norm(self.affine, 2))


def inside_body(body: str, points: Tensor) -> Tensor:
    """Mask of the points inside a unit body.

    Args:
        body: Name of a body in ``simulate.projection.BODIES``.
        points: (..., 3) positions, in diameters.

    Returns:
        (...) bool, True inside and on the surface.
    """
    if body in POLYHEDRA:
        planes = face_planes(body).to(points)
        inside = torch.ones(points.shape[:-1], dtype=torch.bool, device=points.device)
        for plane in planes:
            height = points @ plane[:3]
            inside &= (height.abs_() if polyhedron(body).centrosymmetric else height) <= plane[3]
        return inside
    if body == "torus":
        major = outer_radius("torus") / (1 + TORUS_RATIO)
        ring = torch.hypot(points[..., 1], points[..., 2]) - major
        return torch.hypot(ring, points[..., 0]) <= TORUS_RATIO * major
    if body in COMPOSITES:
        pieces = [piece.sign * _between_planes(points, piece.planes) for piece in composite(body)]
        return torch.stack(pieces).sum(0) > 0.5
    return points.square().sum(-1) <= 0.25


def _between_planes(points: Tensor, planes: Tensor) -> Tensor:
    """Indicator of a convex piece, 1 inside and 0 outside: points (..., 3), planes (F, 4) -> (...)."""
    inside = torch.ones(points.shape[:-1], dtype=torch.bool, device=points.device)
    for plane in planes.to(points):
        inside &= points @ plane[:3] <= plane[3]
    return inside.to(points)


def voxelise(particles: Sequence[VoxelParticle], size: int = 128, device: torch.device | str = "cpu") -> Tensor:
    """Rasterise particles into a cube of voxels: 1 where the voxel's centre is inside any of them, else 0.

    Args:
        particles: Particles to rasterise, all within the cube.
        size: Edge of the cube, voxel; 128 in the paper.
        device: Device of the array.

    Returns:
        (size, size, size) float32.

    Raises:
        ValueError: A particle reaches out of the cube.
    """
    density = torch.zeros(size, size, size, device=device)
    for particle in particles:
        middle = particle.centre.round()
        extent = ceil(particle.reach + 1)
        low = [int(m) + size // 2 - extent for m in middle]
        if min(low) < 0 or max(low) + 2 * extent + 1 > size:
            raise ValueError(f"a particle reaches {extent} voxels around {middle.tolist()}: not within {size} voxels")
        offset = torch.arange(-extent, extent + 1, device=device, dtype=torch.float32)
        grid = torch.stack(torch.meshgrid(offset, offset, offset, indexing="ij"), dim=-1)
        window = density[tuple(slice(start, start + 2 * extent + 1) for start in low)]
        window.masked_fill_(inside_body(particle.body, _body_points(particle, grid, middle)), 1.0)
    return density


def _body_points(particle: VoxelParticle, grid: Tensor, middle: Tensor) -> Tensor:
    """Map voxels around ``middle`` (..., 3) to the frame of the unit body: inverse of centre, affine map and twist."""
    inverse: Tensor = torch.linalg.inv(particle.affine) / particle.diameter
    points = (grid - (particle.centre - middle).to(grid)) @ inverse.T.to(grid)
    if particle.twist == 0:
        return points
    z, y, x = points.unbind(-1)
    angle = particle.twist * z
    cosine, sine = angle.cos(), angle.sin()
    return torch.stack([z, cosine * y - sine * x, sine * y + cosine * x], dim=-1)


def voxel_model(
    particles: Particles, radius: float, voxels: int, affine: Tensor | None = None, twist: float = 0.0
) -> tuple[list[VoxelParticle], float]:
    """Voxel model of a scene in a cube.

    Args:
        particles: The particles of one scene.
        radius: Radius of the first particle (sphere of the same volume), voxel; less if the scene is too wide.
        voxels: Edge of the cube, voxel.
        affine: (3, 3) map of all bodies before their own stretch and rotation.
        twist: Rotation of all bodies about their z axis before that, rad per diameter.

    Returns:
        The particles in voxels, and the edge of a voxel; m.
    """
    common = torch.eye(3) if affine is None else affine
    maps = rotation_matrices(particles.orientation) @ (particles.stretch[:, :, None] * common)
    unit = [
        VoxelParticle(BODIES[body], diameter, maps[i], twist, particles.centre[i])
        for i, (body, diameter) in enumerate(zip(particles.body.tolist(), particles.diameter.tolist(), strict=True))
    ]
    limit = voxels // 2 - 4  # centre and reach are rounded, and the upper half of the cube is one voxel shorter
    blur = _BLUR_REACH * float(particles.edge_blur.max())
    widest = max(float(particle.centre.abs().max()) + particle.reach + blur for particle in unit)
    voxel_size = max(unit[0].diameter / 2 / radius, widest / limit)
    placed = [replace(p, diameter=p.diameter / voxel_size, centre=p.centre / voxel_size) for p in unit]
    return placed, voxel_size


def gaussian_blur(density: Tensor, sigma: float) -> Tensor:
    """Gaussian blur of edges in real space, as in the paper: (n, n, n), sigma in voxels; keeps the sum inside."""
    if sigma <= 0:
        return density
    reach = ceil(4 * sigma)
    offset = torch.arange(-reach, reach + 1, device=density.device, dtype=density.dtype)
    kernel = torch.exp(-0.5 * (offset / sigma) ** 2)
    kernel = kernel / kernel.sum()
    blurred = density[None, None]
    for axis in range(3):
        shape = [1, 1, 1, 1, 1]
        shape[2 + axis] = len(kernel)
        padding = [reach if a == axis else 0 for a in range(3)]
        blurred = F.conv3d(blurred, kernel.reshape(shape), padding=padding)
    return blurred[0, 0]


def random_affine(strength: float, generator: torch.Generator) -> Tensor:
    """Random stretch and shear that keeps the volume: exp of a symmetric traceless Gaussian matrix, (3, 3).

    ``strength`` is the standard deviation of the logarithm of the stretch along an axis, about.
    """
    gaussian = strength * torch.randn(3, 3, generator=generator)
    symmetric = (gaussian + gaussian.T) / 2
    stretch: Tensor = torch.linalg.matrix_exp(symmetric - symmetric.trace() / 3 * torch.eye(3))
    return stretch
