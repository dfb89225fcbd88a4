"""Cutting and padding of arrays whose origin is index n // 2 of every axis, and boxes that hold a support."""

from collections.abc import Sequence
from types import EllipsisType

import torch
from torch import Tensor


def middle(shape: Sequence[int], edges: Sequence[int] | int) -> tuple[EllipsisType | slice, ...]:
    """Index that cuts the last axes, of these lengths, to ``edges`` pixels, such that index n // 2 becomes edge // 2.

    Args:
        shape: Lengths of the axes to be cut, pixel.
        edges: Length after the cut of each axis, or of all, pixel; an axis that is shorter stays whole.
    """
    wanted = [edges] * len(shape) if isinstance(edges, int) else edges
    starts = [n // 2 - edge // 2 for n, edge in zip(shape, wanted, strict=True)]
    cut = (slice(max(start, 0), max(start + edge, 0)) for start, edge in zip(starts, wanted, strict=True))
    return (..., *cut)


def crop(array: Tensor, edges: Sequence[int]) -> Tensor:
    """View of the middle of the last axes: (..., N) -> (..., edges), index n // 2 becomes edge // 2."""
    return array[middle(array.shape[-len(edges) :], edges)]


def pad(array: Tensor, edges: Sequence[int]) -> Tensor:
    """Zeros around the last axes: (..., n) -> (..., edges), index n // 2 becomes edge // 2; no edge is below n."""
    widths: list[int] = []
    for edge, n in zip(reversed(edges), reversed(array.shape[-len(edges) :]), strict=True):
        before = edge // 2 - n // 2
        widths += [before, edge - n - before]
    return torch.nn.functional.pad(array, widths)


def resized(array: Tensor, edges: Sequence[int]) -> Tensor:
    """The last axes (..., N) cropped or padded with zeros to (..., edges), index n // 2 becomes edge // 2."""
    cut = crop(array, [min(edge, n) for edge, n in zip(edges, array.shape[-len(edges) :], strict=True)])
    return pad(cut, edges)


def box_around(support: Tensor, ndim: int) -> tuple[slice, ...]:
    """Slices of the smallest box that holds all supports (..., spatial) bool; one pixel where all are empty."""
    used = support.reshape(-1, *support.shape[support.ndim - ndim :]).any(0)
    sides = []
    for axis in range(ndim):
        occupied = used.movedim(axis, 0).flatten(1).any(1).nonzero()[:, 0]
        sides.append(slice(int(occupied[0]), int(occupied[-1]) + 1) if len(occupied) else slice(0, 1))
    return tuple(sides)
