"""Unmeasured and saturated voxels in the counts of a rocking scan, each noted with its cause."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spi_lightning.io.hdf5.limits import Limits
from spi_lightning.notes import Note
from spi_lightning.physics.bragg.frame_order import frames_listed
from spi_lightning.physics.frames.saturation import find_saturated
from spi_lightning.physics.frames.sentinels import Sentinel, find_sentinels

_MAX_SHARE: Final = 0.5  # of a frame, more than a saturated peak fills
_PART: Final = 0.05  # of a frame; a peak that saturates as much does so in more than one frame
_SUDDEN: Final = 0.25  # of that share, which the neighbouring frames of a peak reach
SATURATED: Final = float("inf")  # value of a saturated voxel


def without_flaws(
    counts: NDArray[Any], fill: Sequence[float] = (), limits: Limits | None = None
) -> tuple[Tensor, list[Note]]:
    """Counts (frames, rows, columns) float32, NaN where not measured, infinite where saturated; a note for each cause.

    Sentinels are found by physics.frames.sentinels; the largest integer of a dtype is saturated where a voxel holds it
    in some frames only, and so is the largest value of a bright scan that many voxels share.

    Args:
        counts: Counts as stored, (frames, rows, columns); frames of NaN throughout are missing, and noted elsewhere.
        fill: Fill values that the file states.
        limits: Valid range of the counts that the file states.
    """
    values = torch.from_numpy(counts.astype(np.float32))
    marked, sentinels = find_sentinels(counts, fill)
    full, tops = find_saturated(counts, marked)
    largest = _largest(counts.dtype)
    overflow = marked & ~marked.all(0) & (counts == largest)
    if overflow.any():
        why = f"the largest {counts.dtype}"
        tops = [*tops, Sentinel(largest, int(overflow.sum()), why, always=False)]
        sentinels = [each for each in sentinels if each.always or each.value != largest]
    notes = [Note.of(sentinel.line()) for sentinel in sentinels if not np.isnan(sentinel.value)]
    notes += [
        Note.of(f"{top.pixels} voxels are saturated, at {top.value:.10g}, {top.why}: not measured") for top in tops
    ]
    limits, outside = (limits or Limits()).fitting(counts, marked | full | overflow)
    notes += outside
    saturated = full | overflow | (limits.over(counts) & ~marked)
    marked |= limits.under(counts)
    values[torch.from_numpy(marked | saturated)] = torch.nan
    values[torch.from_numpy(saturated & ~_filled(saturated)[:, None, None])] = SATURATED
    flaws: list[tuple[NDArray[np.bool_], str]] = []
    if counts.dtype.kind == "f":
        present = ~np.isnan(counts).all((1, 2), keepdims=True)
        flaws += [(np.isnan(counts) & present, "hold NaN"), (np.isinf(counts), "hold infinite counts")]
    if counts.dtype.kind in "fi":
        flaws.append(((np.nan_to_num(counts, nan=0, neginf=0) < 0) & ~marked, "hold negative counts"))
    for where, what in flaws:
        if where.any():
            notes.append(Note.of(f"{int(where.sum())} voxels {what}: taken as not measured"))
            values[torch.from_numpy(where)] = torch.nan
    return values, notes


def _filled(saturated: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Frames (frames,) bool saturated by no peak: in most of the frame, or far more than in its neighbours."""
    share = saturated.mean((1, 2))
    beside = np.maximum(np.append(0, share[:-1]), np.append(share[1:], 0))
    filled: NDArray[np.bool_] = (share > _MAX_SHARE) | ((share > _PART) & (beside < _SUDDEN * share))
    return filled


def _largest(dtype: np.dtype[Any]) -> int:
    """Largest integer of a dtype; -1 for floats."""
    return int(np.iinfo(dtype).max) if dtype.kind in "ui" else -1


def missing_note(missing: list[int], frames: int) -> Note:
    """Note on missing frames, the same for all formats."""
    return Note.of(f"{len(missing)} of {frames} frames are missing ({frames_listed(missing)}): taken as not measured")
