"""Sentinels of a file of patterns: found in sample frames, masked in all frames, with a note for each value."""

from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spi_lightning.errors import UserError
from spi_lightning.io.hdf5.limits import Limits
from spi_lightning.io.patterns.pattern_file import FrameSource, Mask, MaskSource, PatternFile
from spi_lightning.notes import Note
from spi_lightning.physics.frames.sentinels import LIMIT, find_sentinels

_MIN_FRAMES: Final = 8
_MAX_FRAMES: Final = 64
_BYTES: Final = 64 << 20  # bytes of the sample frames beyond the smallest number
_SEARCHED: Final = 256 << 20  # bytes of a file up to which every frame is searched for values from LIMIT on
_LARGE: Final = 24 << 20  # bytes of a frame from which the smallest number is halved


@dataclass
class UnmarkedVoxels:
    """Per-frame masks that exclude sentinels and counts outside the valid range.

    Attributes:
        source: Source of the frames (N, H, W).
        marks: Sentinel values, in the unit of the stored counts.
        limits: Valid range of the counts that the file states.
        limit: Value from which on all are sentinels; None if there is none.
    """

    source: FrameSource
    marks: tuple[float, ...]
    limits: Limits = field(default_factory=Limits)
    limit: float | None = None

    def read(self, start: int, stop: int) -> Mask:
        """Masks start..stop, (stop - start, H, W) bool, True = measured."""
        block = self.source.read(start, stop)
        keep: Mask = np.ones(block.shape, dtype=bool)
        for mark in self.marks:
            keep &= block != mark
        keep &= ~(self.limits.over(block) | self.limits.under(block))
        return keep if self.limit is None else keep & (block < self.limit)


def exclude_sentinels(file: PatternFile) -> None:
    """Mask the sentinels of a file, once, and note how many pixels hold which value.

    Up to 64 frames are searched, spread evenly over the file. A pixel with a sentinel in all of them is masked in every
    frame; a value that is impossible as a count is masked wherever it occurs.

    Raises:
        UserError: No pixel of the file was measured.
    """
    if file.sentinels is not None:
        return
    frames = searched_frames(file)
    mask, file.sentinels = find_sentinels(frames, getattr(file.source, "fill", ()))
    always: Mask = np.asarray(mask.all(0))
    if always.all():
        if np.isnan(file.sentinels[0].value):
            return  # reported frame by frame when they are read
        raise UserError(f"{file.path}: {file.sentinels[0].line()}, so nothing was; check the file")
    if always.any():
        before = True if file.shared_mask is None else file.shared_mask
        file.shared_mask = np.asarray(before & ~always)
    marks = tuple(entry.value for entry in file.sentinels if not entry.always)
    file.limits, outside = file.limits.fitting(frames, mask)
    if marks or file.limits.over(frames).any() or file.limits.under(frames).any():
        whole_numbers = file.source.dtype.kind in "ui" and max(marks, default=0) >= LIMIT
        file.frame_masks = UnmarkedVoxels(file.source, marks, file.limits, LIMIT if whole_numbers else None)
    searched = () if len(frames) == len(file) else (len(frames), len(file))
    some = f" ({searched[0]} of {searched[1]} frames were searched)" if searched else ""
    file.notes.extend(Note.of(each.line(*searched), str(file.path)) for each in file.sentinels)
    file.notes.extend(replace(note, subject=str(file.path), text=f"{note.text}{some}") for note in outside)


def searched_frames(file: PatternFile) -> NDArray[Any]:
    """Sample frames as stored, (n, H, W): evenly spread over the file, and some that hold values from LIMIT on."""
    one = file.source.dtype.itemsize * file.shape[1] * file.shape[2]
    least = _MIN_FRAMES if one < _LARGE else _MIN_FRAMES // 2
    number = min(len(file), max(least, min(_MAX_FRAMES, _BYTES // max(one, 1))))
    if number == len(file):
        return file.source.read(0, number)
    chosen = np.unique(np.linspace(0, len(file) - 1, number).astype(np.int64))
    chosen = np.union1d(chosen, _frames_with_sentinels(file))
    frames = np.empty((len(chosen), *file.shape[1:]), dtype=file.source.dtype)
    for into, i in enumerate(chosen.tolist()):
        frames[into] = file.source.read(i, i + 1)[0]
    return frames


def _frames_with_sentinels(file: PatternFile) -> NDArray[np.int64]:
    """Indices (n,) of some frames that hold integers from LIMIT on; empty for files too large to search."""
    kind = file.source.dtype
    if kind.kind not in "ui" or np.iinfo(kind).max < LIMIT or kind.itemsize * np.prod(file.shape) > _SEARCHED:
        return np.empty(0, dtype=np.int64)
    found: list[int] = []
    step = file.frames_at_once()
    for start in range(0, len(file), step):
        block = file.source.read(start, min(start + step, len(file)))
        found += (start + np.flatnonzero((block >= LIMIT).any((1, 2)))).tolist()
    return np.array(found[:: max(1, len(found) // _MIN_FRAMES)], dtype=np.int64)


class AllOf:
    """Per-frame masks that exclude the union of what their parts exclude."""

    def __init__(self, *masks: MaskSource) -> None:
        self.masks = masks

    def read(self, start: int, stop: int) -> Mask:
        """Masks start..stop, (stop - start, H, W) bool, True = measured."""
        keep = self.masks[0].read(start, stop)
        for mask in self.masks[1:]:
            keep = keep & mask.read(start, stop)
        return keep
