"""Dropped frames, lines and parts of a rocking scan: no counts where the neighbours on both sides hold many."""

from collections.abc import Iterator
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from spi_lightning.notes import Note

from .frame_order import frames_listed

_LEAST: Final = 300.0  # expected photons of an empty line or box; a dark fringe holds some per cent of them
_BESIDE: Final = 1000.0  # the same at the border of the scan, where one side alone has a neighbour
_BOX: Final = 3  # edge of the least part
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


_DIP: Final = 0.6  # of the lines farther away, below which the neighbours belong to a dark fringe
_ALIKE: Final = 0.02  # of the photons, by which both sides of a symmetric pattern may differ beyond their noise
_PARTNER: Final = 0.05  # of the photons beside it, that the other line of a pair of fringes may hold
_PERIODIC: Final = 20.0  # expected photons of lines beyond the first multiple that show a period
_FLANK: Final = 0.06  # of the peak's line, above which its flanks lie; side lobes are below 5 %
_REST: Final = 1e-3  # share of the expected photons that an empty line may hold, such as dark counts

Lines = NDArray[np.bool_]
Sums = NDArray[np.floating]


def find_empty(photons: Tensor, mask: Tensor, unit: float = 1.0) -> tuple[Tensor, list[Note]]:
    """Find frames, detector lines, lines of one frame and pixels without counts between neighbours with many.

    Fringes of a symmetric crystal may be dark throughout a line. Towards these intensities fall on both sides, or they
    lie at equal distances on both sides of the peak; such lines are measured.

    Args:
        photons: (frames, rows, columns) counts.
        mask: The same shape, bool, True where measured.
        unit: Least positive value, one photon; relative intensities are compared in it.

    Returns:
        (frames, rows, columns) bool, True where a zero was not measured; one note for each kind.
    """
    values = (torch.where(mask, photons, 0.0).float() / unit).numpy()
    known = mask.numpy().copy()
    empty = np.zeros(values.shape, dtype=np.bool_)
    dark = np.zeros(values.shape, dtype=np.bool_)  # fringes, which are measured
    notes: list[Note] = []
    for axis, name in enumerate(("frame", "row", "column")):
        found, fringes = _lines(values, known, axis)
        if found.any():
            empty |= _spread(found, axis)
            notes.append(Note.of(_line_of(found, name, values, axis)))
        dark |= _spread(fringes, axis)
    known &= ~empty
    for axis, name in ((2, "rows"), (1, "columns")):
        sums, counts = values.sum(axis, dtype=np.float64), known.sum(axis)
        sums = np.where(known.any(axis), sums, np.nan)
        found = (_between(sums, counts, 0)[0] | _between(sums, counts, 1)[0]) & ~dark.all(axis)
        found &= ~_paired(np.nan_to_num(sums))
        if found.any():
            frames = frames_listed(np.flatnonzero(found.any(1)).tolist())
            notes.append(Note.of(f"{int(found.sum())} {name} of single frames ({frames}) are empty{_WHY}"))
            empty |= np.expand_dims(found, axis)
    known &= ~empty
    parts = find_empty_parts(values, known & ~dark)
    if parts.any():
        frames = frames_listed(np.flatnonzero(parts.any((1, 2))).tolist())
        notes.append(Note.of(f"{int(parts.sum())} voxels of parts of single frames ({frames}) are empty{_WHY}"))
        empty |= parts
    known &= ~empty
    pixels = _pixels(values, known) & ~dark.all(0)
    if pixels.any():
        notes.append(Note.of(f"{int(pixels.sum())} pixels are empty in every frame{_WHY}"))
        empty |= pixels
    return torch.from_numpy(empty & mask.numpy()), notes


_WHY: Final = " while their neighbours count many photons: dead or dropped, taken as not measured"


def _lines(values: Sums, known: Lines, axis: int) -> tuple[Lines, Lines]:
    """Empty lines along one axis of a scan, and those that are fringes instead; (n,) bool each."""
    others = tuple(other for other in range(3) if other != axis)
    counts = known.sum(others)
    sums = np.where(counts > 0, np.where(known, values, 0).sum(others, dtype=np.float64), np.nan)
    inside, beside = _between(sums[:, None], counts[:, None], 0)
    rest = known & ~_spread((inside | beside)[:, 0], axis)
    if beside.any() and _symmetric(values, rest, int(np.nan_to_num(sums).argmax()), axis):
        beside &= False  # a fringe, such as the Nyquist frequency of simulated patterns
    found = (inside | beside)[:, 0]
    fringes = _fringes(np.nan_to_num(sums)) if found.any() else np.zeros_like(found)
    return found & ~fringes, fringes


def _between(sums: Sums, counts: NDArray[np.int64], axis: int) -> tuple[Lines, Lines]:
    """Empty sums between bright ones along ``axis``, and empty ones at its ends beside bright ones.

    Towards a dark fringe intensities fall on both sides, towards a dropped line they do not. NaN is not
    measured. Compared are means of voxels, as neighbours may be measured in part.
    """
    mean = np.moveaxis(sums / np.maximum(counts, 1), axis, 0)
    size = np.moveaxis(counts, axis, 0)
    before, farther = _nearest(mean)
    after, beyond = (sums[::-1] for sums in _nearest(mean[::-1]))
    with np.errstate(invalid="ignore", divide="ignore"):
        slope = np.nan_to_num(before / farther, nan=1.0) * np.nan_to_num(after / beyond, nan=1.0)
    lit = np.pad(np.nan_to_num(mean) > 0, [(1, 1)] + [(0, 0)] * (mean.ndim - 1), constant_values=True)
    alone = lit[:-2] & lit[2:]  # a fringe of what is sampled finely enough is dark in one line alone
    total = np.nan_to_num(mean) * size
    least = np.nan_to_num(np.minimum(before, after)) * size  # 0 at the ends
    inside = np.isfinite(mean) & (least >= _LEAST) & (total <= _REST * least) & ~(alone & (slope < _DIP**2))
    single = np.where(np.isnan(before), after, np.where(np.isnan(after), before, np.nan)) * size
    beside = np.isfinite(mean) & (np.nan_to_num(single) >= _BESIDE) & (total == 0)
    return np.moveaxis(inside, 0, axis), np.moveaxis(beside, 0, axis)


def _nearest(mean: Sums) -> tuple[Sums, Sums]:
    """Means of the nearest two lines before each one that hold anything, NaN where there is none."""
    nearest, second = np.empty_like(mean), np.empty_like(mean)
    last = before = np.full(mean.shape[1:], np.nan)
    for index, line in enumerate(mean):
        nearest[index], second[index] = last, before
        lit = np.nan_to_num(line) > 0
        last, before = np.where(lit, line, last), np.where(lit, last, before)
    return nearest, second


def _fringes(sums: Sums) -> Lines:
    """Lines that are dark in symmetric patterns: beyond the peak's flanks as far on both sides of it, or periodically.

    A line at the border of the scan has no counterpart, and is dark like the others.
    """
    peak, n = int(sums.argmax()), len(sums)
    beside = np.stack([np.append(0, sums[:-1]), np.append(sums[1:], 0)])  # 0 where there is none
    dark = sums <= _REST * np.where((beside == 0).any(0), beside.max(0), beside.min(0))
    positions = np.arange(n)
    mirror = 2 * peak - positions
    flank = beside.max(0) < _FLANK * sums[peak]
    partner = flank & (sums <= _PARTNER * beside.min(0))
    fringes: Lines = dark & flank & (mirror >= 0) & (mirror < n)
    fringes[fringes] = partner[mirror[fringes]] | dark[mirror[fringes]]
    for period in range(2, n // 4 + 1):
        multiples = ((positions - peak) % period == 0) & (positions != peak)
        expected = np.where(multiples, beside.min(0), 0)
        far = np.where(abs(positions - peak) > period, expected, 0)
        both = min(expected[:peak].sum(), expected[peak:].sum()) > 0
        if (
            both
            and far.sum() >= _PERIODIC
            and sums[far > 0].sum() <= _REST * far.sum()
            and dark[expected > _LEAST].all()
        ):
            fringes |= multiples & dark
    if fringes.any():
        fringes[[0, -1]] |= dark[[0, -1]]
    return fringes


def _symmetric(values: Sums, known: Lines, peak: int, axis: int) -> bool:
    """Whether a pattern is alike on both sides of its peak along an axis, as patterns with dark fringes are."""
    values, known = np.moveaxis(values, axis, 0), np.moveaxis(known, axis, 0)
    reach = min(peak, len(values) - 1 - peak)
    sides = [slice(peak - reach, peak), slice(peak + 1, peak + 1 + reach)]
    low, high = values[sides[0]], values[sides[1]][::-1]
    both = known[sides[0]] & known[sides[1]][::-1] & (low + high > 0)
    misfit = np.square(np.sqrt(low[both]) - np.sqrt(high[both])).sum(dtype=np.float64)
    photons = (low[both] + high[both]).sum(dtype=np.float64)
    return bool(misfit <= both.sum() + _ALIKE * photons)


def _paired(sums: Sums) -> Lines:
    """(n, m) sums that are dark on both sides of the peak, as fringes are, and in one line alone along some axis."""
    padded = np.pad(sums, 1)
    beside = [padded[2:, 1:-1], padded[:-2, 1:-1], padded[1:-1, 2:], padded[1:-1, :-2]]
    dark = sums <= _PARTNER * np.maximum.reduce(beside)
    peak = np.unravel_index(int(sums.argmax()), sums.shape)
    rows, columns = (2 * at - np.arange(n) for at, n in zip(peak, sums.shape, strict=True))
    inside = np.logical_and.outer((rows >= 0) & (rows < len(rows)), (columns >= 0) & (columns < len(columns)))
    partner = dark[np.ix_(rows.clip(0, len(rows) - 1), columns.clip(0, len(columns) - 1))] & inside
    edged = np.pad(dark, 1)
    alone = ~(edged[2:, 1:-1] | edged[:-2, 1:-1]) | ~(edged[1:-1, 2:] | edged[1:-1, :-2])
    found: Lines = dark & partner & alone
    return found


def _pixels(values: Sums, known: Lines) -> Lines:
    """(rows, columns) pixels and parts of lines that are empty in all frames, between bright ones along an axis."""
    counts = known.sum(0)
    sums = np.where(counts > 0, np.where(known, values, 0).sum(0, dtype=np.float64), np.nan)
    empty: Lines = (sums == 0) & (_between(sums, counts, 0)[0] | _between(sums, counts, 1)[0])
    return empty & ~_paired(np.nan_to_num(sums))


def _spread(lines: Lines, axis: int) -> Lines:
    """(n,) lines as a mask that broadcasts over the scan."""
    return lines.reshape([-1 if other == axis else 1 for other in range(3)])


def _line_of(found: Lines, name: str, values: Sums, axis: int) -> str:
    """Note on empty frames, rows or columns."""
    indices = np.flatnonzero(found).tolist()
    what = f"{name} {indices[0]} is" if len(indices) == 1 else f"{len(indices)} {name}s ({frames_listed(indices)}) are"
    where = "" if axis == 0 else " in every frame"
    voxels = len(indices) * values.size // values.shape[axis]
    why = _WHY if len(indices) > 1 else _WHY.replace("their", "its")
    return f"{what} empty{where}{why} ({voxels:,} voxels)"
