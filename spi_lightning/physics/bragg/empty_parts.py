"""Parts of a detector that dropped out in some frames of a rocking scan, such as a module."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

_BOX: Final = 3  # edge of the least part
_LEAST: Final = 300.0  # expected photons of an empty box
_BESIDE: Final = 1000.0  # the same up to the first or last frame, which has frames on one side only
_ENDS: Final = 0.2  # of the photons around in the nearest such frame: towards the ends of a scan they become fewer
_EDGE: Final = 0.5  # of the expected photons that lie around an empty part: fringes are dark beyond their middle, too
_FULL: Final = 1.0  # expected photons around a part, below which its edge is not determined

Rectangle = tuple[slice, slice]


def find_empty_parts(values: NDArray[np.float32], known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Find rectangles of frames without counts although the frames before and after have many.

    A fringe that is dark in one frame has no sharp edges there: around a rectangle that dropped out the frame counts
    as much as the frames beside it.

    Args:
        values: (frames, rows, columns) photons, 0 where not measured.
        known: The same shape, True where measured.

    Returns:
        The same shape, True in such rectangles.
    """
    found = np.zeros_like(known)
    for frame, box in _empty_boxes(values, known):
        before, after = (_lit(values, frame, box, step) for step in (-1, 1))
        beside = [other for other in (before, after) if other is not None]
        if not beside:
            continue
        expected = np.minimum.reduce(values[beside])
        box = _grown(box, values[frame], expected)
        around = np.zeros_like(known[0])
        around[tuple(slice(max(0, part.start - 1), part.stop + 1) for part in box)] = True
        around[box] = False
        around &= np.logical_and.reduce(known[[frame, *beside]])
        share = float(values[frame][around].sum() / max(expected[around].sum(), _FULL))
        if len(beside) == 2:
            dropped = share >= _EDGE
        else:
            dropped = share >= _ENDS and min(share, 1.0) * expected[box].sum() >= _BESIDE
        if dropped and expected[around].sum() >= _FULL:
            found[frame][box] = known[frame][box]
    return found


def _empty_boxes(values: NDArray[np.float32], known: NDArray[np.bool_]) -> Iterator[tuple[int, Rectangle]]:
    """Frame indices, each with an empty rectangle where the frames before and after hold photons."""
    sums = np.empty_like(values)
    for frame, photons in enumerate(values):
        ndimage.uniform_filter(photons, _BOX, output=sums[frame], mode="constant")
    sums *= _BOX**2
    missing = (ndimage.minimum_filter(one, _BOX, mode="constant", cval=1) == 0 for one in known)
    dark = [(total < 0.5) & ~hidden for total, hidden in zip(sums, missing, strict=True)]
    later = np.empty_like(sums)
    last = np.zeros_like(sums[0])
    for frame in range(len(sums) - 1, -1, -1):
        later[frame] = last
        last = np.where(dark[frame], last, sums[frame])
    last = np.zeros_like(sums[0])
    for frame, empty in enumerate(dark):
        both = np.minimum(last, later[frame]) >= _LEAST
        lost = empty & (both | ((np.minimum(last, later[frame]) == 0) & (np.maximum(last, later[frame]) >= _LEAST)))
        last = np.where(empty, last, sums[frame])
        if lost.any():
            parts, _ = ndimage.label(ndimage.binary_dilation(lost, np.ones((_BOX, _BOX))) & (values[frame] == 0))
            yield from ((frame, box) for box in ndimage.find_objects(parts) if not values[frame][box].any())


def _grown(box: Rectangle, photons: NDArray[np.float32], expected: NDArray[np.float32]) -> Rectangle:
    """The rectangle with the lines beside it that are empty, too, though photons are expected."""
    first, last = [part.start for part in box], [part.stop for part in box]
    grown = True
    while grown:
        grown = False
        for axis in (0, 1):
            for ends, line in ((first, first[axis] - 1), (last, last[axis])):
                beside: list[slice | int] = [slice(low, high) for low, high in zip(first, last, strict=True)]
                beside[axis] = line
                inside = 0 <= line < photons.shape[axis]
                if inside and not photons[tuple(beside)].any() and expected[tuple(beside)].sum() >= _FULL:
                    ends[axis] += -1 if ends is first else 1
                    grown = True
    rows, columns = (slice(low, high) for low, high in zip(first, last, strict=True))
    return rows, columns


def _lit(values: NDArray[np.float32], frame: int, box: Rectangle, step: int) -> int | None:
    """Nearest frame before or after in which a rectangle counted anything."""
    frames = range(frame + step, len(values) if step > 0 else -1, step)
    return next((other for other in frames if values[other][box].any()), None)
