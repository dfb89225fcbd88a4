"""Supports as intersections of shifted copies of the autocorrelation's support.

A copy of the particle that has one of its points at the origin lies inside A, the support of the autocorrelation. If w
is the difference of two of its points, it lies in A and in A + w (double intersection); if 0, w1 and w2 are three of
its points, it lies in A, A + w1 and A + w2 (triple intersection). Which triples of extremal points belong to one
particle, A alone cannot tell: a triangle and a hexagon have the same A. Source: Crimmins, Fienup & Thelen (1990), J.
Opt. Soc. Am. A 7, 3, as used by Bellisario & Ekeberg (2024), Sect. 3.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from spi_lightning.baselines.autocorrelation_support import at_origin, over_axes
from spi_lightning.fields import UserError
from spi_lightning.physics.ambiguity import centre

CHOICES = ("smallest", "tested", "guaranteed")
_FLAT = 0.9  # of its area that a density must use to count as flat, (sum rho)^2 / sum rho^2 over pixels
_AT_ONCE = 1 << 23  # shifted pixels held at once


@dataclass(frozen=True)
class _Copies:
    """A & (A + w) for the extremal points w of each region, and the areas of what two of them share.

    point: (B, K, ndim) int64. shared: (B, K, ...) bool. area: (B, K, K) of A & (A + w1) & (A + w2), float32; on the
    diagonal that of A & (A + w).
    """

    point: Tensor
    shared: Tensor
    area: Tensor


def double_intersection(region: Tensor, directions: int = 32, ndim: int = 2) -> Tensor:
    """The smallest A & (A + w) over extremal points w of A: contains the particle, and is always centrosymmetric.

    Args:
        region: A, (B, y, x) or (B, z, y, x) bool, symmetric about n // 2.
        directions: In which extremal points are looked for, all around.
        ndim: Axes.

    Returns:
        The same shape, bool, its centre of mass at n // 2.
    """
    return _in_pieces(region, None, directions, ndim, lambda part, _: _smallest_double(part, directions, ndim))


def triple_intersection(
    region: Tensor,
    autocorrelation: Tensor | None = None,
    choice: str = "tested",
    directions: int = 32,
    candidates: int = 64,
    tolerance: float = 1e-3,
    ndim: int = 2,
) -> Tensor:
    """A & (A + w1) & (A + w2) for extremal points w1, w2 of A whose difference is in A too (admissible).

    Args:
        region: A, (B, y, x) or (B, z, y, x) bool, symmetric about n // 2.
        autocorrelation: The same shape, float; only ``tested`` needs it.
        choice: ``smallest``: of all admissible pairs; it cuts true pixels of a hexagon or a disc. ``guaranteed``: the
            smallest over pairs of a corner of A's hull and the next point of A on an edge of that hull. Those two
            differences share a point of the particle or of its twin, whatever the particle, so nothing is cut where
            A is exact; it is looser. ``tested``: the smallest admissible one that could have the measured
            autocorrelation (see ``could_hold``), else, or if that is smaller, the guaranteed one.
        directions: In which extremal points are looked for, all around.
        candidates: Most pairs that are tested, smallest first.
        tolerance: Of the test, as a fraction of the autocorrelation at w = 0.
        ndim: Axes.

    Returns:
        The same shape, bool, its centre of mass at n // 2.

    Raises:
        UserError: The choice is unknown, or ``tested`` has no autocorrelation.
    """
    if choice not in CHOICES:
        raise UserError(f"choice={choice} is unknown; choose one of {', '.join(CHOICES)}.")
    if choice == "tested" and autocorrelation is None:
        raise UserError("choice=tested needs the autocorrelation; choose smallest or guaranteed without it.")

    def answer(part: Tensor, values: Tensor | None) -> Tensor:
        if choice == "guaranteed":
            return _guaranteed(part, directions, ndim)
        copies = _copies(part, extremal_points(part, directions, ndim), ndim)
        area = _admissible_area(part, copies, ndim)
        if choice == "smallest" or values is None:
            return _pairs(copies, area.flatten(1).argmin(1, keepdim=True))[:, 0]
        safe = _guaranteed(part, directions, ndim)
        return _tested(part, values, copies, area, safe, candidates, tolerance, ndim)

    return _in_pieces(region, autocorrelation, directions, ndim, answer)


def could_hold(candidate: Tensor, region: Tensor, autocorrelation: Tensor, tolerance: float, ndim: int = 2) -> Tensor:
    """Whether a particle of one density, filling no more than a candidate, could have a measured autocorrelation.

    Its autocorrelation must reach everywhere that A does. Its area must be (sum rho)^2 / sum rho^2 or more, which by
    Cauchy and Schwarz holds for any density, but little more, so that the density is flat: of an uneven one, the
    autocorrelation does not tell which triple is the right one. And no difference w may be more frequent, relative to
    the pixels, than the candidate allows.

    Args:
        candidate: (B, C, ...) bool.
        region, autocorrelation: (B, ...) A and the values it was cut from.
        tolerance: Fraction of the autocorrelation at w = 0.
        ndim: Axes.

    Returns:
        (B, C) bool.
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
    """How many pairs of its pixels differ by w, w = 0 at n // 2 and none around the edges; (..., ) bool -> float32."""
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


def extremal_points(region: Tensor, directions: int, ndim: int = 2) -> Tensor:
    """The furthest point of each region along directions all around, (B, K, ndim) int64 from n // 2."""
    rim, there = _rim(region, ndim)
    along = _directions(directions, ndim, region.device) @ rim.double().transpose(1, 2)
    reach = torch.where(there[:, None], along, -torch.inf)
    return _picked(rim, reach.argmax(-1))


def _rim(region: Tensor, ndim: int) -> tuple[Tensor, Tensor]:
    """First and last point of each region on every line along an axis: all that its hull can touch.

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
        places = [grid.expand_as(met) for grid in torch.meshgrid(*others, indexing="ij")]
        for end in (first, last):
            coordinates = [*places[:axis], end, *places[axis:]]
            points.append(torch.stack(coordinates, dim=-1).flatten(1, -2))
            there.append(met.flatten(1))
    middle = torch.tensor([n // 2 for n in region.shape[1:]], device=region.device)
    return torch.cat(points, dim=1) - middle, torch.cat(there, dim=1)


def _picked(points: Tensor, index: Tensor) -> Tensor:
    """(B, M, ndim) and (B, K) -> (B, K, ndim)."""
    return points.gather(1, index[..., None].expand(*index.shape, points.shape[-1]))


def _guaranteed(region: Tensor, directions: int, ndim: int) -> Tensor:
    point = extremal_points(region, directions, ndim)
    outward = _directions(directions, ndim, region.device)
    rim = _rim(region, ndim)
    best, least = region, region.new_full((len(region),), 2**40, dtype=torch.int64)
    once = region.unsqueeze(1) & _shifted(region, point, ndim)
    for side in _sideways(outward, ndim):
        following = _next_on_hull(rim, point, outward, side)
        triple = once & _shifted(region, following, ndim)
        area = triple.flatten(2).sum(-1)
        area, which = area.min(1)
        found = triple[torch.arange(len(region)), which]
        smaller = area < least
        best = torch.where(over_axes(smaller, ndim), found, best)
        least = torch.where(smaller, area, least)
    return best


def _next_on_hull(rim: tuple[Tensor, Tensor], point: Tensor, outward: Tensor, side: Tensor) -> Tensor:
    """Turn a line around each extremal point until it meets A: the nearest point on it, (B, K, ndim) int64.

    In 3D the line is a plane that contains the third axis, so that it meets an edge of the hull. The point itself where
    A has no other.
    """
    away = (rim[0][:, None] - point[:, :, None]).double()
    height = (away * outward[:, None]).sum(-1)
    across = (away * side[:, None]).sum(-1)
    length = away.norm(dim=-1)
    angle = torch.atan2(-height, across) + 1e-9 * length  # of points on one line, the nearest
    least, index = torch.where(rim[1][:, None] & (length > 0), angle, torch.inf).min(-1)
    return torch.where(torch.isfinite(least)[..., None], _picked(rim[0], index), point)


def _tested(
    region: Tensor,
    values: Tensor,
    copies: _Copies,
    area: Tensor,
    safe: Tensor,
    candidates: int,
    tolerance: float,
    ndim: int,
) -> Tensor:
    """The smallest pair that passes could_hold and is smaller than the safe intersection, else that one."""
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
        passed[:, part] = could_hold(_pairs(copies, order[:, part]), region, values, tolerance, ndim)
    passed &= torch.isfinite(size)
    first = passed.to(torch.int64).argmax(1)
    found = _pairs(copies, order.gather(1, first[:, None]))[:, 0]
    return torch.where(over_axes(passed.any(1), ndim), found, safe)


def _smallest_double(region: Tensor, directions: int, ndim: int) -> Tensor:
    shared = region.unsqueeze(1) & _shifted(region, extremal_points(region, directions, ndim), ndim)
    return shared[torch.arange(len(region)), shared.flatten(2).sum(-1).argmin(1)]


def _copies(region: Tensor, point: Tensor, ndim: int) -> _Copies:
    shared = region.unsqueeze(1) & _shifted(region, point, ndim)
    flat = shared.flatten(2).float()
    return _Copies(point, shared, flat @ flat.transpose(1, 2))


def _admissible_area(region: Tensor, copies: _Copies, ndim: int) -> Tensor:
    """Areas of triple intersections, (B, K, K); inf where w1 - w2 is not in A, or the pair was there before."""
    point = copies.point
    difference = point[:, :, None] - point[:, None]
    inside = _values_at(region, difference, ndim)
    same = (difference == 0).all(-1)
    before = torch.ones(same.shape[1:], dtype=torch.bool, device=same.device).tril(-1)
    repeated = (same & before).any(-1)
    ordered = before.T | torch.eye(len(before), dtype=torch.bool, device=same.device)
    use = inside & ordered & ~repeated[:, :, None] & ~repeated[:, None]
    return torch.where(use, copies.area, torch.inf)


def _pairs(copies: _Copies, index: Tensor) -> Tensor:
    """A & (A + w1) & (A + w2) for flat indices (B, C) into (K, K): (B, C, ...) bool."""
    count, batch = copies.point.shape[1], torch.arange(len(index), device=index.device)[:, None]
    return copies.shared[batch, index // count] & copies.shared[batch, index % count]


def _shifted(region: Tensor, point: Tensor, ndim: int) -> Tensor:
    """A + w, nothing coming in from beyond the frame: (B, ...) and (B, K, ndim) -> (B, K, ...) bool."""
    batch = torch.arange(len(region), device=region.device).reshape(-1, *(1,) * (ndim + 1))
    index, inside = [batch], torch.ones((), dtype=torch.bool, device=region.device)
    for axis in range(ndim):
        edge, view = region.shape[axis + 1], [1] * (ndim + 2)
        view[axis + 2] = edge
        source = torch.arange(edge, device=region.device).view(view) - over_axes(point[..., axis], ndim)
        inside = inside & (source >= 0) & (source < edge)
        index.append(source.clamp(0, edge - 1))
    return region[tuple(index)] & inside


def _values_at(region: Tensor, point: Tensor, ndim: int) -> Tensor:
    """A at points from n // 2, (B, ..., ndim) -> (B, ...) bool; False outside the frame."""
    edges = torch.tensor(region.shape[1:], device=region.device)
    place = point + edges // 2
    inside = ((place >= 0) & (place < edges)).all(-1)
    batch = torch.arange(len(region), device=region.device).reshape(-1, *(1,) * (point.ndim - 2))
    return region[(batch, *torch.minimum(place.clamp_min(0), edges - 1).unbind(-1))] & inside


def _directions(count: int, ndim: int, device: torch.device) -> Tensor:
    """Unit vectors all around, none along a lattice row, so that one point is furthest; (K, ndim) float64."""
    turn = torch.arange(count, device=device, dtype=torch.float64) + 0.137
    if ndim == 2:
        angle = 2 * math.pi / count * turn
        return torch.stack([angle.sin(), angle.cos()], dim=1)
    height = 1 - 2 * turn / (count + 0.274)  # Fibonacci points on the sphere
    angle = turn * math.pi * (3 - math.sqrt(5))
    ring = (1 - height.square()).clamp_min(0).sqrt()
    return torch.stack([height, ring * angle.sin(), ring * angle.cos()], dim=1)


def _sideways(outward: Tensor, ndim: int) -> list[Tensor]:
    """Axes at right angles to the directions, (K, ndim) each: both ways in 2D, four ways in 3D."""
    if ndim == 2:
        left = torch.stack([-outward[:, 1], outward[:, 0]], dim=1)
        return [left, -left]
    other = torch.tensor([0.337, -0.519, 0.785], dtype=outward.dtype, device=outward.device).expand_as(outward)
    first = torch.nn.functional.normalize(torch.linalg.cross(outward, other), dim=1)
    second = torch.linalg.cross(outward, first)
    return [first, -first, second, -second]


def _in_pieces(
    region: Tensor, values: Tensor | None, directions: int, ndim: int, answer: Callable[[Tensor, Tensor | None], Tensor]
) -> Tensor:
    """A batch in pieces that fit into memory, each in the smallest box around its regions; the answers centred."""
    found = torch.zeros_like(region)
    box = (slice(None), *_box(region, ndim))
    step = max(1, _AT_ONCE // (directions * math.prod(region[box].shape[1:])))
    for start in range(0, len(region), step):
        part = slice(start, start + step)
        values_of_part = None if values is None else values[part][box]
        found[part][box] = answer(region[part][box], values_of_part)
    return centre(found.float(), ndim) > 0.5 if len(found) else found


def _box(region: Tensor, ndim: int) -> list[slice]:
    """The smallest box with n // 2 in its middle, index m // 2 of m, that holds all regions of a batch."""
    box = []
    for axis in range(1, ndim + 1):
        edge, others = region.shape[axis], [other for other in range(ndim + 1) if other != axis]
        used = region.any(dim=others[0], keepdim=True)
        for other in others[1:]:
            used = used.any(dim=other, keepdim=True)
        places = used.flatten().nonzero()[:, 0] - edge // 2
        reach = int(places.abs().amax()) if len(places) else 0
        box.append(slice(max(0, edge // 2 - reach), min(edge, edge // 2 + reach + 1)))
    return box
