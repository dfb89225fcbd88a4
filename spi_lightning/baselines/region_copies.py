"""Intersections of shifted copies of a region: A, A + w and their common areas."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from spi_lightning.physics.array import box_about_origin, reach
from spi_lightning.physics.support import over_axes
from spi_lightning.physics.twin import centre

_AT_ONCE = 1 << 23  # shifted pixels held at once


@dataclass(frozen=True)
class Copies:
    """Intersections A & (A + w) for the extremal points w of each region.

    Attributes:
        point: (B, K, ndim) int64 extremal points w from n // 2, pixel.
        shared: (B, K, ...) bool, A & (A + w).
        area: (B, K, K) float32, area of A & (A + w1) & (A + w2), pixel; on the diagonal that of A & (A + w).
    """

    point: Tensor
    shared: Tensor
    area: Tensor


def shifted_copies(region: Tensor, point: Tensor, ndim: int) -> Copies:
    """Copies of A, (B, ...) bool, shifted by extremal points (B, K, ndim) from n // 2, with the areas they share."""
    shared = region.unsqueeze(1) & shifted(region, point, ndim)
    flat = shared.flatten(2).float()
    return Copies(point, shared, flat @ flat.transpose(1, 2))


def intersections(copies: Copies, index: Tensor) -> Tensor:
    """A & (A + w1) & (A + w2) for flat indices (B, C) into (K, K): (B, C, ...) bool."""
    count, batch = copies.point.shape[1], torch.arange(len(index), device=index.device)[:, None]
    return copies.shared[batch, index // count] & copies.shared[batch, index % count]


def admissible_area(region: Tensor, copies: Copies, ndim: int) -> Tensor:
    """Areas of triple intersections, (B, K, K); inf where w1 - w2 is not in A, or for repeated pairs."""
    point = copies.point
    difference = point[:, :, None] - point[:, None]
    inside = values_at(region, difference, ndim)
    same = (difference == 0).all(-1)
    before = torch.ones(same.shape[1:], dtype=torch.bool, device=same.device).tril(-1)
    repeated = (same & before).any(-1)
    ordered = before.T | torch.eye(len(before), dtype=torch.bool, device=same.device)
    use = inside & ordered & ~repeated[:, :, None] & ~repeated[:, None]
    return torch.where(use, copies.area, torch.inf)


def shifted(region: Tensor, point: Tensor, ndim: int) -> Tensor:
    """Shifted regions A + w, False from beyond the frame: (B, ...) and (B, K, ndim) -> (B, K, ...) bool."""
    batch = torch.arange(len(region), device=region.device).reshape(-1, *(1,) * (ndim + 1))
    index, inside = [batch], torch.ones((), dtype=torch.bool, device=region.device)
    for axis in range(ndim):
        edge, view = region.shape[axis + 1], [1] * (ndim + 2)
        view[axis + 2] = edge
        source = torch.arange(edge, device=region.device).view(view) - over_axes(point[..., axis], ndim)
        inside = inside & (source >= 0) & (source < edge)
        index.append(source.clamp(0, edge - 1))
    return region[tuple(index)] & inside


def values_at(region: Tensor, point: Tensor, ndim: int) -> Tensor:
    """A at points from n // 2, (B, ..., ndim) -> (B, ...) bool; False outside the frame."""
    edges = torch.tensor(region.shape[1:], device=region.device)
    position = point + edges // 2
    inside = ((position >= 0) & (position < edges)).all(-1)
    batch = torch.arange(len(region), device=region.device).reshape(-1, *(1,) * (point.ndim - 2))
    return region[(batch, *torch.minimum(position.clamp_min(0), edges - 1).unbind(-1))] & inside


def in_pieces(
    region: Tensor, values: Tensor | None, directions: int, ndim: int, answer: Callable[[Tensor, Tensor | None], Tensor]
) -> Tensor:
    """Apply a function to (B, ...) in parts that fit into memory, cropped to their regions; results are centred."""
    found = torch.zeros_like(region)
    box = (slice(None), *box_about_origin(region.shape[1:], reach(region, ndim)))
    step = max(1, _AT_ONCE // (directions * math.prod(region[box].shape[1:])))
    for start in range(0, len(region), step):
        part = slice(start, start + step)
        values_of_part = None if values is None else values[part][box]
        found[part][box] = answer(region[part][box], values_of_part)
    return centre(found.float(), ndim) > 0.5 if len(found) else found
