"""Cutting, padding and binning of arrays with origin at n // 2 of every axis, boxes of a support, even indices."""

import math
from collections.abc import Sequence
from types import EllipsisType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spi_lightning.errors import UserError


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


def cut_around(array: Tensor, centre: Sequence[int], sizes: Sequence[int]) -> Tensor:
    """Cut (spatial) so that pixel ``centre`` becomes n // 2 of ``sizes``; 0 or False where the cut leaves the array."""
    return cut_window(array, [index - size // 2 for index, size in zip(centre, sizes, strict=True)], sizes)


def cut_window(array: Tensor, start: Sequence[int], sizes: Sequence[int]) -> Tensor:
    """Cut of the last axes, (..., N) -> (..., sizes), from an index that may be negative; 0 or False beyond the array.

    A cut inside the array is a view of it.
    """
    whole = array.shape[-len(sizes) :]
    if all(first >= 0 and first + size <= n for first, size, n in zip(start, sizes, whole, strict=True)):
        inside: list[Any] = [slice(first, first + size) for first, size in zip(start, sizes, strict=True)]
        return array[(..., *inside)]
    cut = array.new_zeros((*array.shape[: -len(sizes)], *sizes))
    source: list[Any] = []
    target: list[Any] = []
    for first, size, n in zip(start, sizes, whole, strict=True):
        low, high = min(max(0, first), n), max(0, min(n, first + size))
        source.append(slice(low, max(low, high)))
        target.append(slice(low - first, max(low, high) - first))
    cut[(..., *target)] = array[(..., *source)]
    return cut


def box_around(support: Tensor, ndim: int) -> tuple[slice, ...]:
    """Slices of the smallest box that holds all supports (..., spatial) bool; one pixel where all are empty."""
    return tuple(
        slice(int(index[0]), int(index[-1]) + 1) if len(index) else slice(0, 1) for index in _occupied(support, ndim)
    )


def reach(support: Tensor, ndim: int) -> tuple[int, ...]:
    """Largest distance from n // 2 at which any of the supports (..., spatial) bool is True, along each axis, pixel."""
    axes = zip(_occupied(support, ndim), support.shape[support.ndim - ndim :], strict=True)
    return tuple(int((index - n // 2).abs().max()) if len(index) else 0 for index, n in axes)


def box_about_origin(shape: Sequence[int], reach: Sequence[int] | int) -> tuple[slice, ...]:
    """Slices of the box with n // 2 in its middle that reaches so many pixels to either side, cut off by the array.

    Args:
        shape: Lengths of the axes, pixel.
        reach: Pixels on either side of n // 2, of each axis or of all.
    """
    wide = [reach] * len(shape) if isinstance(reach, int) else reach
    return tuple(slice(max(0, n // 2 - far), min(n, n // 2 + far + 1)) for n, far in zip(shape, wide, strict=True))


def _occupied(support: Tensor, ndim: int) -> list[Tensor]:
    """Indices along each of the last axes at which any of the supports is True, sorted."""
    used = support.reshape(-1, *support.shape[support.ndim - ndim :]).any(0)
    return [used.movedim(axis, 0).flatten(1).any(1).nonzero()[:, 0] for axis in range(ndim)]


def centre_crop(pattern: Tensor, size: int | None) -> Tensor:
    """Central crop (..., H, W) -> (..., size, size): pixel (H // 2, W // 2) becomes (size // 2, size // 2)."""
    if size is None:
        return pattern
    height, width = pattern.shape[-2:]
    if size > min(height, width):
        raise UserError(f"preprocess.crop={size} is larger than the patterns of {height} x {width} pixels")
    return crop(pattern, (size, size))


def crop_about(pattern: Tensor, size: int | None, centre: Sequence[float] | None) -> Tensor:
    """Square (..., H, W) -> (..., size, size) about a point, 0 or False beyond the pattern; the middle where None.

    Args:
        pattern: (..., H, W).
        size: Edge of the square, pixel; None: the whole pattern.
        centre: Row and column of the point, pixel.
    """
    if centre is None or size is None or size > min(pattern.shape[-2:]):
        return centre_crop(pattern, size)
    return cut_window(pattern, [math.ceil(at - size / 2) for at in centre], (size, size))


def bin_pixels(photons: Tensor, mask: Tensor, bin: int) -> tuple[Tensor, Tensor]:
    """Bin pixels: sums over squares, (B, 1, H, W) -> (B, 1, H / bin, W / bin) photons and mask.

    Masked pixels do not count; squares with some of them are scaled to the full area, so that a gap does not look
    like a fringe.
    """
    height, width = photons.shape[-2:]
    if height % bin or width % bin:
        raise UserError(
            f"preprocess.bin={bin} does not divide patterns of {height} x {width} pixels: set preprocess.crop"
        )
    binned = _sum_squares(torch.where(mask, photons, 0.0), bin)
    measured = _sum_squares(mask.to(binned.dtype), bin)
    return binned * (bin**2 / measured.clamp(min=1)), measured > 0


def bin_to(photons: Tensor, mask: Tensor, bin: int) -> tuple[Tensor, Tensor]:
    """Photons (B, H, W) and mask (H, W) or (B, H, W) binned as by `bin_pixels`; rows and columns left over are cut."""
    if bin == 1:
        return photons, mask
    edges: list[Any] = [slice(n // bin * bin) for n in photons.shape[-2:]]
    whole = (..., *edges)
    kept = mask[whole].reshape(-1, 1, *photons[whole].shape[-2:])
    binned, measured = bin_pixels(photons[whole][:, None], kept, bin)
    return binned[:, 0], measured[:, 0] if mask.ndim == 3 else measured[0, 0]


def _sum_squares(image: Tensor, bin: int) -> Tensor:
    """Add up rows, whose neighbours lie side by side in memory, then the fewer columns that are left."""
    rows = sum((image[..., row::bin, :] for row in range(1, bin)), start=image[..., ::bin, :])
    return sum((rows[..., column::bin] for column in range(1, bin)), start=rows[..., ::bin])


def evenly(count: int, most: int) -> NDArray[np.int64]:
    """Up to ``most`` of ``count`` indices from the first to the last, evenly spread, (n,) int64."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))


def surface_level(amplitude: Tensor, inside: Tensor) -> float:
    """Half the typical amplitude of a solid body, where a blurred edge has half its height: the surface of the body.

    Typical is the median of the values above half the largest one, which a few bright voxels do not move.

    Args:
        amplitude: (spatial) amplitudes, 0 or more.
        inside: (spatial) bool, True where the body is.
    """
    values = amplitude[inside]
    return float(values[values > values.max() / 2].median() / 2) if len(values) else 0.0
