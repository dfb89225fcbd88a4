"""Superellipsoids in any orientation: boxes, ellipsoids, cylinders and octahedra in one formula."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.simulate.draws import Range, recipe, uniform

_LARGEST_DUAL = 1e3  # exponent of the dual norm of an octahedron, which is infinite


def grid(size: int, device: torch.device | str = "cpu") -> Tensor:
    """Positions of the voxels of a cube, (size, size, size, 3) float32 ordered z, y, x; voxel; origin at size // 2."""
    axis = torch.arange(size, device=device, dtype=torch.float32) - size // 2
    return torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), dim=-1)


def superellipsoid_gauge(position: Tensor, half_axes: Tensor, n: Tensor, e: Tensor) -> Tensor:
    """Gauge of a superellipsoid: factor by which it must grow to reach a point, below 1 inside, 1 on the surface.

    Args:
        position: (B, ..., 3) points in the frame of the body, ordered z, y, x.
        half_axes: (B, 3) half axes c, b, a along z, y, x, in the unit of the points.
        n, e: (B,) exponents; 1, 1 is an ellipsoid, towards 0 a box, 2, 2 an octahedron.

    Returns:
        (B, ...) ((|x/a|^(2/e) + |y/b|^(2/e))^(e/n) + |z/c|^(2/n))^(n/2).

    Source: Wu et al. (2021), Eq. 4, whose text lost the plus sign and the |z/c|.
    """
    wide = (-1,) + (1,) * (position.ndim - 2)
    n, e = n.view(wide), e.view(wide)
    z, y, x = (position / half_axes.view(*wide, 3)).abs().clamp_min(1e-6).unbind(-1)
    round_z = (x ** (2 / e) + y ** (2 / e)) ** (e / n)
    gauge: Tensor = (round_z + z ** (2 / n)) ** (n / 2)
    return gauge


def superellipsoid_extent(half_axes: Tensor, n: Tensor, e: Tensor, turn: Tensor) -> Tensor:
    """Half extents (B, 3) of rotated superellipsoids along z, y, x: dual norms of the rows of rotations (B, 3, 3).

    The body is a ball of the norm that superellipsoid_gauge nests, so its reach in a direction is the dual norm, with
    exponents p / (p - 1); convex bodies only, n and e up to 2.
    """
    z, y, x = (turn * half_axes[:, None, :]).abs().clamp_min(1e-12).unbind(-1)
    outer, inner = (_dual(exponent)[:, None] for exponent in (2 / n, 2 / e))
    extent: Tensor = _norm(_norm(x, y, inner), z, outer)
    return extent


def _norm(one: Tensor, other: Tensor, exponent: Tensor) -> Tensor:
    """(one^p + other^p)^(1/p) of positive numbers, without overflow at large p."""
    largest = torch.maximum(one, other)
    norm: Tensor = ((one / largest) ** exponent + (other / largest) ** exponent) ** (1 / exponent) * largest
    return norm


def soft_amplitude(position: Tensor, gauge: Tensor, edge: float) -> Tensor:
    """Amplitude of a star-shaped body from its gauge: 1 inside, 0 outside, linear over ``edge`` voxels between.

    Args:
        position: (B, ..., 3) or (..., 3) points, voxel.
        gauge: (B, ...) gauge of the points, see superellipsoid_gauge.
        edge: Width of the edge along the ray from the centre, voxel; 0 is sharp, 1 is antialiased.
    """
    if edge <= 0:
        return (gauge <= 1).float()
    beyond = position.norm(dim=-1) * (1 - 1 / gauge.clamp_min(1e-6))
    beyond = torch.where(gauge < 1e-3, -edge, beyond)  # at the centre the ray has no direction
    amplitude: Tensor = (0.5 - beyond / edge).clamp(0, 1)
    return amplitude


@dataclass(frozen=True)
class Superellipsoid:
    """One superellipsoid as a body of the fast generator, see shape.Shape.

    Attributes:
        half_axes: Half axes along z, y, x, any unit.
        n, e: Exponents, see superellipsoid_gauge.
        depth_samples: Samples along the beam, fewer than of bodies that are not convex.
    """

    half_axes: tuple[float, float, float] = (1.0, 1.0, 1.0)
    n: float = 1.0
    e: float = 1.0
    depth_samples: int = 32

    @property
    def radius(self) -> float:
        """Radius of the sphere around the box that holds the body, unit of the half axes."""
        return math.hypot(*self.half_axes)

    def depth(self, z: Tensor, y: Tensor, x: Tensor) -> Tensor:
        """Depth of points below the surface along the ray from the centre, (...), unit of the half axes."""
        points = torch.stack([z, y, x], dim=-1)
        one = points.new_ones(1)
        gauge = superellipsoid_gauge(points[None], points.new_tensor(self.half_axes), self.n * one, self.e * one)[0]
        depth: Tensor = points.norm(dim=-1).clamp_min(1e-3) * (1 / gauge.clamp_min(1e-6) - 1)
        return depth


@recipe
class SuperellipsoidRecipe:
    """Random superellipsoids within a box; those that would leave it are shrunk to one voxel inside it.

    Attributes:
        half_axes: Range of a, b and c as shares of half the box.
        exponents: Range of n and e, within (0, 2].
        edge: Width of the surface, voxel (0: sharp).
    """

    half_axes: Range = (0.25, 0.75)
    exponents: Range = (0.2, 2.0)
    edge: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.half_axes[0] <= self.half_axes[1] <= 1:
            raise UserError(f"simulate.body.half_axes={list(self.half_axes)}: give a range within (0, 1]")
        if not 0 < self.exponents[0] <= self.exponents[1] <= 2:
            raise UserError(f"simulate.body.exponents={list(self.exponents)}: give a range within (0, 2]")

    def __call__(self, size: int, turn: Tensor, generator: torch.Generator) -> Tensor:
        """Amplitudes (B, size, size, size) float32 of bodies rotated by (B, 3, 3), on their device."""
        count = len(turn)
        half_axes = uniform(self.half_axes, (count, 3), generator).to(turn) * (size / 2)
        n, e = (uniform(self.exponents, (count,), generator).to(turn) for _ in range(2))
        limit = size / 2 - 1 - self.edge / 2
        reach = superellipsoid_extent(half_axes, n, e, turn).amax(1, keepdim=True)
        half_axes = half_axes * (limit / reach).clamp_max(1)
        here = grid(size, turn.device)
        body = torch.einsum("zyxi,bij->bzyxj", here, turn)  # the inverse turn brings a voxel into the body's frame
        return soft_amplitude(here, superellipsoid_gauge(body, half_axes, n, e), self.edge)


def _dual(exponent: Tensor) -> Tensor:
    """Exponent of the dual norm, p / (p - 1)."""
    return (exponent / (exponent - 1).clamp_min(1e-6)).clamp_max(_LARGEST_DUAL)
