"""Extremal points of a region on its convex hull, along directions all around; from n // 2, pixel."""

import math

import torch
from torch import Tensor


def extremal_points(region: Tensor, directions: int, ndim: int = 2) -> Tensor:
    """Furthest point of each region (B, ...) along K directions, (B, K, ndim) int64 from n // 2."""
    rim, there = rim_points(region, ndim)
    along = directions_around(directions, ndim, region.device) @ rim.double().transpose(1, 2)
    reach = torch.where(there[:, None], along, -torch.inf)
    return _picked(rim, reach.argmax(-1))


def rim_points(region: Tensor, ndim: int) -> tuple[Tensor, Tensor]:
    """First and last point of each region on every line along an axis: candidates for hull points.

    Returns:
        (B, M, ndim) int64 points from n // 2, and (B, M) bool, True where the line meets the region.
    """
    points, there = [], []
    for axis in range(ndim):
        lines = region.movedim(axis + 1, -1)
        met = lines.any(-1)
        first = lines.to(torch.uint8).argmax(-1)
        last = lines.shape[-1] - 1 - lines.flip(-1).to(torch.uint8).argmax(-1)
        others = [torch.arange(n, device=region.device) for n in lines.shape[1:-1]]
        across = [grid.expand_as(met) for grid in torch.meshgrid(*others, indexing="ij")]
        for end in (first, last):
            coordinates = [*across[:axis], end, *across[axis:]]
            points.append(torch.stack(coordinates, dim=-1).flatten(1, -2))
            there.append(met.flatten(1))
    middle = torch.tensor([n // 2 for n in region.shape[1:]], device=region.device)
    return torch.cat(points, dim=1) - middle, torch.cat(there, dim=1)


def _picked(points: Tensor, index: Tensor) -> Tensor:
    """(B, M, ndim) and (B, K) -> (B, K, ndim)."""
    return points.gather(1, index[..., None].expand(*index.shape, points.shape[-1]))


def next_on_hull(rim: tuple[Tensor, Tensor], point: Tensor, outward: Tensor, side: Tensor) -> Tensor:
    """Next point on the hull: rotate a line about each extremal point until it meets A, (B, K, ndim) int64.

    In 3D the line is a plane that contains the third axis, so that it meets an edge of the hull. Without another point
    of A it is the extremal point itself.
    """
    away = (rim[0][:, None] - point[:, :, None]).double()
    height = (away * outward[:, None]).sum(-1)
    across = (away * side[:, None]).sum(-1)
    length = away.norm(dim=-1)
    angle = torch.atan2(-height, across) + 1e-9 * length  # of points on one line, the nearest
    least, index = torch.where(rim[1][:, None] & (length > 0), angle, torch.inf).min(-1)
    return torch.where(torch.isfinite(least)[..., None], _picked(rim[0], index), point)


def directions_around(count: int, ndim: int, device: torch.device) -> Tensor:
    """Unit vectors all around, none along a lattice row, so that the furthest point is unique; (K, ndim) float64."""
    turn = torch.arange(count, device=device, dtype=torch.float64) + 0.137
    if ndim == 2:
        angle = 2 * math.pi / count * turn
        return torch.stack([angle.sin(), angle.cos()], dim=1)
    height = 1 - 2 * turn / (count + 0.274)  # Fibonacci points on the sphere
    angle = turn * math.pi * (3 - math.sqrt(5))
    ring = (1 - height.square()).clamp_min(0).sqrt()
    return torch.stack([height, ring * angle.sin(), ring * angle.cos()], dim=1)


def sideways(outward: Tensor, ndim: int) -> list[Tensor]:
    """Axes at right angles to the directions, (K, ndim) each: both ways in 2D, four ways in 3D."""
    if ndim == 2:
        left = torch.stack([-outward[:, 1], outward[:, 0]], dim=1)
        return [left, -left]
    other = torch.tensor([0.337, -0.519, 0.785], dtype=outward.dtype, device=outward.device).expand_as(outward)
    first = torch.nn.functional.normalize(torch.linalg.cross(outward, other), dim=1)
    second = torch.linalg.cross(outward, first)
    return [first, -first, second, -second]
