"""Supports as intersections of shifted copies of the autocorrelation's support.

A copy of the particle that has one of its points at the origin lies inside A, the support of the autocorrelation. If w
is the difference of two of its points, it lies in A and in A + w (double intersection); if 0, w1 and w2 are three of
its points, it lies in A, A + w1 and A + w2 (triple intersection). The points are extremal points of A on its convex
hull, along directions all around, pixels from n // 2. A alone does not determine which triples of them belong to one
particle: a triangle and a hexagon have the same A. Source: Crimmins, Fienup & Thelen (1990), J. Opt. Soc. Am. A 7, 3,
as used by Bellisario & Ekeberg (2024), Sect. 3.
"""

import math

import torch
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.physics.support import at_origin, over_axes

from .region_copies import (
    Copies,
    admissible_area,
    in_pieces,
    intersections,
    shifted,
    shifted_copies,
)


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


CHOICES = ("smallest", "tested", "guaranteed")
_FLAT = 0.9  # of its area that a density must use to count as flat, (sum rho)^2 / sum rho^2 over pixels


def double_intersection(region: Tensor, directions: int = 32, ndim: int = 2) -> Tensor:
    """Double intersection: smallest A & (A + w) over extremal points w of A, which contains the particle.

    It is always centrosymmetric.

    Args:
        region: A, (B, y, x) or (B, z, y, x) bool, symmetric about n // 2.
        directions: Number of directions of extremal points.
        ndim: Number of axes of a region.

    Returns:
        The same shape, bool, its centre of mass at n // 2.
    """
    return in_pieces(region, None, directions, ndim, lambda part, _: _smallest_double(part, directions, ndim))


def triple_intersection(
    region: Tensor,
    autocorrelation: Tensor | None = None,
    choice: str = "tested",
    directions: int = 32,
    candidates: int = 64,
    tolerance: float = 1e-3,
    ndim: int = 2,
) -> Tensor:
    """Triple intersection A & (A + w1) & (A + w2) for extremal points w1, w2 of A with w1 - w2 in A (admissible).

    Args:
        region: A, (B, y, x) or (B, z, y, x) bool, symmetric about n // 2.
        autocorrelation: Autocorrelation of the same shape, float; only ``tested`` needs it.
        choice: Selection of the pair, ``smallest``: of all admissible pairs; it cuts true pixels of a hexagon or a
            disc. ``guaranteed``: the smallest over pairs of a corner of A's hull and the next point of A on an edge of
            that hull. Those two differences share a point of the particle or of its twin, whatever the particle, so
            nothing is cut where A is exact; it is looser. ``tested``: the smallest admissible one compatible with the
            measured autocorrelation (see ``could_hold``), else, or if smaller, the guaranteed one.
        directions: Number of directions of extremal points.
        candidates: Largest number of pairs that are tested, smallest first.
        tolerance: Tolerance of the test, as a fraction of the autocorrelation at w = 0.
        ndim: Number of axes of a region.

    Returns:
        The same shape, bool, its centre of mass at n // 2.

    Raises:
        UserError: The choice is unknown, or ``tested`` has no autocorrelation.
    """
    if choice not in CHOICES:
        raise UserError(f"choice={choice} is unknown; choose one of {', '.join(CHOICES)}")
    if choice == "tested" and autocorrelation is None:
        raise UserError("choice=tested needs the autocorrelation; choose smallest or guaranteed without it")

    def answer(part: Tensor, values: Tensor | None) -> Tensor:
        if choice == "guaranteed":
            return _guaranteed(part, directions, ndim)
        copies = shifted_copies(part, extremal_points(part, directions, ndim), ndim)
        area = admissible_area(part, copies, ndim)
        if choice == "smallest" or values is None:
            return intersections(copies, area.flatten(1).argmin(1, keepdim=True))[:, 0]
        safe = _guaranteed(part, directions, ndim)
        return _tested(part, values, copies, area, safe, candidates, tolerance, ndim)

    return in_pieces(region, autocorrelation, directions, ndim, answer)


def could_hold(candidate: Tensor, region: Tensor, autocorrelation: Tensor, tolerance: float, ndim: int = 2) -> Tensor:
    """Test of candidates: whether a uniform particle within one is compatible with a measured autocorrelation.

    Its autocorrelation must reach everywhere that A does. Its area must be (sum rho)^2 / sum rho^2 or more, which by
    Cauchy and Schwarz holds for any density, but little more, so that the density is flat: that of an
    uneven one does not determine the triple. And no difference w may be more frequent, relative to
    the pixels, than the candidate allows.

    Args:
        candidate: (B, C, ...) bool candidates of the support.
        region, autocorrelation: (B, ...) A, and the autocorrelation that it was thresholded from.
        tolerance: Tolerance as a fraction of the autocorrelation at w = 0.
        ndim: Number of axes of a region.

    Returns:
        (B, C) bool, True where compatible.
    """
    axes = tuple(range(-ndim, 0))
    top = at_origin(autocorrelation, ndim).clamp_min(torch.finfo(autocorrelation.dtype).tiny)
    measured = (autocorrelation / top).unsqueeze(1)
    own = _pairs_of_pixels(candidate, ndim).to(measured.dtype)
    area = candidate.sum(axes).clamp_min(1)
    least = torch.where(region, measured[:, 0], 0).sum(axes)[:, None]
    covers = ((own > 0.5) | ~region.unsqueeze(1)).all(dim=axes)
    allows = (own / over_axes(area, ndim) >= measured - tolerance).all(dim=axes)
    return covers & allows & _of_flat(area, least, tolerance)


def _pairs_of_pixels(support: Tensor, ndim: int) -> Tensor:
    """Number of pairs of pixels of a support that differ by w, w = 0 at n // 2, without wrapping; (...) -> (...)."""
    axes, edges = tuple(range(-ndim, 0)), support.shape[-ndim:]
    spectrum = torch.fft.rfftn(support.float(), s=[2 * edge for edge in edges], dim=axes)
    power = torch.complex(spectrum.abs().square(), torch.zeros_like(spectrum.real))
    pairs: Tensor = torch.fft.irfftn(power, s=[2 * edge for edge in edges], dim=axes)
    pairs = pairs.roll([edge // 2 for edge in edges], axes)
    for axis, edge in zip(axes, edges, strict=True):
        pairs = pairs.narrow(axis, 0, edge)
    return pairs


def _of_flat(area: Tensor, least: Tensor, tolerance: float) -> Tensor:
    return (area >= least * (1 - tolerance)) & (area <= least / _FLAT)


def _guaranteed(region: Tensor, directions: int, ndim: int) -> Tensor:
    point = extremal_points(region, directions, ndim)
    outward = directions_around(directions, ndim, region.device)
    rim = rim_points(region, ndim)
    best, least = region, region.new_full((len(region),), 2**40, dtype=torch.int64)
    once = region.unsqueeze(1) & shifted(region, point, ndim)
    for side in sideways(outward, ndim):
        following = next_on_hull(rim, point, outward, side)
        triple = once & shifted(region, following, ndim)
        area = triple.flatten(2).sum(-1)
        area, which = area.min(1)
        found = triple[torch.arange(len(region)), which]
        smaller = area < least
        best = torch.where(over_axes(smaller, ndim), found, best)
        least = torch.where(smaller, area, least)
    return best


def _tested(
    region: Tensor,
    values: Tensor,
    copies: Copies,
    area: Tensor,
    safe: Tensor,
    candidates: int,
    tolerance: float,
    ndim: int,
) -> Tensor:
    """Smallest intersection that passes could_hold and is smaller than the safe one, else the safe one; (B, ...)."""
    axes = tuple(range(-ndim, 0))
    least = (torch.where(region, values, 0) / at_origin(values, ndim)).sum(axes)[:, None, None]
    worth = _of_flat(area, least, tolerance) & (area < safe.sum(axes)[:, None, None])
    flat = torch.where(worth, area, torch.inf).flatten(1)
    size, order = flat.topk(min(candidates, flat.shape[1]), dim=1, largest=False)
    passed = torch.zeros_like(size, dtype=torch.bool)
    for start in range(0, size.shape[1], 8):
        part = slice(start, start + 8)
        if not bool((torch.isfinite(size[:, part]) & ~passed.any(1, keepdim=True)).any()):
            break
        passed[:, part] = could_hold(intersections(copies, order[:, part]), region, values, tolerance, ndim)
    passed &= torch.isfinite(size)
    first = passed.to(torch.int64).argmax(1)
    found = intersections(copies, order.gather(1, first[:, None]))[:, 0]
    return torch.where(over_axes(passed.any(1), ndim), found, safe)


def _smallest_double(region: Tensor, directions: int, ndim: int) -> Tensor:
    shared = region.unsqueeze(1) & shifted(region, extremal_points(region, directions, ndim), ndim)
    return shared[torch.arange(len(region)), shared.flatten(2).sum(-1).argmin(1)]
