"""Projected thickness of particles along the beam, for fast small-angle amplitudes.

Lengths here are in units of each particle's diameter; maps are (P, n, n) on the midpoints of a square of half-width
``half_width`` around the particle's centre. The k-th moment of a map is the integral of z^k over the chord; the zeroth
is the thickness.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from spi_lightning.simulate.particles.polyhedra import (
    COMPOSITES,
    POLYHEDRA,
    circumradius,
    composite,
    composite_radius,
    face_planes,
    polyhedron,
)
from spi_lightning.simulate.particles.shape import DEPTH_SAMPLES, Family, UnitShape

TORUS_RATIO = 0.35  # minor over major radius
_TORUS_MAJOR: float = (1 / (12 * torch.pi * TORUS_RATIO**2)) ** (1 / 3)  # volume of a sphere of diameter 1

BODIES: tuple[str, ...] = ("sphere", *POLYHEDRA, "torus", *COMPOSITES)  # files hold indices: append, never insert


def outer_radius(body: str | UnitShape | Family) -> float:
    """Radius of the smallest centred sphere around a unit body, in volume-equivalent diameters."""
    if not isinstance(body, str):
        return body.radius
    if body == "sphere":
        return 0.5
    if body == "torus":
        return _TORUS_MAJOR * (1 + TORUS_RATIO)
    if body in COMPOSITES:
        return composite_radius(body)
    return circumradius(body)


def sample_positions(half_width: Tensor, samples: int) -> Tensor:
    """Midpoints of ``samples`` equal cells across [-half_width, half_width]: (P,) -> (P, samples)."""
    index = torch.arange(samples, dtype=half_width.dtype, device=half_width.device)
    return half_width[:, None] * ((2 * index + 1) / samples - 1)


def chord_moments(
    body: str | UnitShape | Family,
    affine: Tensor,
    positions: Tensor,
    order: int = 0,
    core: tuple[Tensor, Tensor, Tensor] | None = None,
    form: Tensor | None = None,
) -> list[Tensor]:
    """Moments 0..order of the chord through each particle at each point of its map.

    Args:
        body: One of :data:`BODIES`, or a shape from elsewhere.
        affine: (P, 3, 3) matrix from the unit body to the particle (rotation times stretch), ordered z, y, x.
        positions: (P, n) sample positions along y and x.
        order: Highest moment; 0 is the projected thickness, 1 and 2 serve the curvature of the Ewald sphere.
        core: Optional radius (P,), contrast (P,) and centre (P, 3) of a sphere of other density inside.
        form: (P,) int64 numbers of the individuals of a family; None: the first one.

    Returns:
        order + 1 maps (P, n, n).
    """
    if isinstance(body, UnitShape):
        moments = _quadrature_moments(body.depth, affine, positions, order, body.depth_samples)
    elif not isinstance(body, str):
        form = torch.zeros(len(affine), dtype=torch.int64, device=affine.device) if form is None else form
        moments = body.moments(form, affine, positions, order)
    elif body == "torus":
        moments = _quadrature_moments(_torus_inside, affine, positions, order)
    elif body in COMPOSITES:
        moments = _composite_moments(body, affine, positions, order)
    else:
        top, bottom = _ellipsoid_surfaces(affine, positions) if body == "sphere" else _planes(body, affine, positions)
        moments = _between(top, bottom, order)
    if core is not None:
        radius, contrast, centre = core
        extra = _between(*_sphere_surfaces(radius, centre, positions), order)
        moments = [m + contrast[:, None, None] * e for m, e in zip(moments, extra, strict=True)]
    return moments


def _between(top: Tensor, bottom: Tensor, order: int) -> list[Tensor]:
    top = torch.maximum(top, bottom)
    return [(top ** (k + 1) - bottom ** (k + 1)) / (k + 1) for k in range(order + 1)]


def _upper_surface(planes: Tensor, positions: Tensor) -> Tensor:
    """Lowest of the planes that face up, (P, F, 4) with positions (P, n) -> (P, n, n)."""
    tilt = planes[..., 0]
    facing_up = tilt > 1e-6
    slope = torch.where(facing_up[..., None], -planes[..., 1:3] / tilt.clamp_min(1e-6)[..., None], 0.0)
    height = torch.where(facing_up, planes[..., 3] / tilt.clamp_min(1e-6), torch.inf)
    surface = torch.full((len(planes), positions.shape[1], positions.shape[1]), torch.inf, device=planes.device)
    for face in range(planes.shape[1]):
        rows = height[:, face, None] + slope[:, face, 0, None] * positions
        columns = slope[:, face, 1, None] * positions
        surface = torch.minimum(surface, rows[:, :, None] + columns[:, None, :])
    return surface


def _composite_moments(body: str, affine: Tensor, positions: Tensor, order: int) -> list[Tensor]:
    """Signed sum of the chord moments of convex pieces, maps (P, n, n)."""
    total: list[Tensor] = []
    for piece in composite(body):
        surfaces = _both_surfaces(_mapped(piece.planes.to(affine), affine), positions)
        moments = [piece.sign * moment for moment in _between(*surfaces, order)]
        total = [t + m for t, m in zip(total, moments, strict=True)] if total else moments
    return total


def _mapped(unit: Tensor, affine: Tensor) -> Tensor:
    """Planes of the unit body (F, 4) after the affine maps (P, 3, 3): (P, F, 4), normals no longer of unit length."""
    normals = torch.einsum("pij,fj->pfi", torch.linalg.inv(affine).transpose(1, 2), unit[:, :3])
    return torch.cat([normals, unit[None, :, 3:].expand(len(normals), -1, 1)], dim=2)


def _both_surfaces(planes: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
    flipped = planes * planes.new_tensor([-1.0, 1.0, 1.0, 1.0])
    return _upper_surface(planes, positions), -_upper_surface(flipped, positions)


def _planes(body: str, affine: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
    planes = _mapped(face_planes(body).to(affine), affine)
    if not polyhedron(body).centrosymmetric:
        return _both_surfaces(planes, positions)
    upward = torch.where(planes[..., :1] < 0, -planes[..., :3], planes[..., :3])
    top = _upper_surface(torch.cat([upward, planes[..., 3:]], dim=2), positions)
    return top, -top.flip(1, 2)


def _ellipsoid_surfaces(affine: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
    inverse = torch.linalg.inv(affine)
    form = 4 * inverse.transpose(1, 2) @ inverse
    y, x = positions[:, :, None], positions[:, None, :]
    a, zy, zx, yy, yx, xx = (form[:, i, j, None, None] for i, j in ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)))
    middle = -(zy * y + zx * x) / a
    half_chord = (middle**2 - (yy * y**2 + 2 * yx * y * x + xx * x**2 - 1) / a).clamp_min(0).sqrt()
    return middle + half_chord, middle - half_chord


def _sphere_surfaces(radius: Tensor, centre: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
    y, x = positions - centre[:, 1:2], positions - centre[:, 2:3]
    squared = radius[:, None, None] ** 2 - y[:, :, None] ** 2 - x[:, None, :] ** 2
    half_chord = squared.clamp_min(0).sqrt()
    return centre[:, :1, None] + half_chord, centre[:, :1, None] - half_chord


def _torus_inside(z: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """Signed depth below the surface of the unit torus (positive inside)."""
    ring = torch.hypot(y, x) - _TORUS_MAJOR
    distance: Tensor = torch.hypot(ring, z)
    return TORUS_RATIO * _TORUS_MAJOR - distance


def _quadrature_moments(
    inside: Callable[[Tensor, Tensor, Tensor], Tensor],
    affine: Tensor,
    positions: Tensor,
    order: int,
    samples: int = DEPTH_SAMPLES,
) -> list[Tensor]:
    """Chords of any implicit body by midpoint sums over depth; cells count by their share inside."""
    inverse = torch.linalg.inv(affine)
    depth = sample_positions(positions[:, -1].new_ones(len(positions)) * positions.abs().amax(1), samples)
    step = (depth[:, 1] - depth[:, 0])[:, None, None]
    y, x = positions[:, :, None], positions[:, None, :]
    moments = [torch.zeros(len(affine), positions.shape[1], positions.shape[1], device=affine.device)] * (order + 1)
    for sample in range(samples):
        z = depth[:, sample, None, None]
        point = [_coordinate(inverse[:, axis], z, y, x) for axis in range(3)]
        share = (inside(point[0], point[1], point[2]) / step + 0.5).clamp(0, 1) * step
        moments = [moment + share * z**k for k, moment in enumerate(moments)]
    return moments


def _coordinate(row: Tensor, z: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """One coordinate of a matrix acting on (z, y, x): row (P, 3) with broadcastable coordinates."""
    return row[:, 0, None, None] * z + row[:, 1, None, None] * y + row[:, 2, None, None] * x
