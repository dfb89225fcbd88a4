"""What in the counts of a rocking scan was not measured, each told by its cause."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spi_lightning.physics.frame_order import frames_listed

SATURATED: Final = float("inf")  # stands for a saturated voxel: brighter than anything measured
_SHARING: Final = 8  # voxels at exactly the largest value from which a detector is said to saturate there
_BRIGHT: Final = 200  # counts; below, several voxels share the largest value by chance


def without_flaws(counts: NDArray[Any]) -> tuple[Tensor, list[str]]:
    """Counts as float32: NaN where not measured, infinite where saturated; and one line for each cause.

    An integer as large as its type allows is saturated, or bad (EIGER) where it is so in every frame; and so is the
    largest value of a bright scan if eight voxels or more share it.

    Args:
        counts: (frames, rows, columns) as stored; frames that are NaN throughout are missing, and told elsewhere.
    """
    values = torch.from_numpy(counts.astype(np.float32))
    notes: list[str] = []
    full, why = _full(counts)
    if full is not None:
        always = full.all(0)
        if always.any():
            notes.append(f"{int(always.sum())} pixels hold {why} in every frame: bad, taken as not measured")
        clipped = full & ~always
        if clipped.any():
            notes.append(f"{int(clipped.sum())} voxels are saturated, at {why}: taken as not measured")
        values[torch.from_numpy(full & always)] = torch.nan
        values[torch.from_numpy(clipped)] = SATURATED
    flaws: list[tuple[NDArray[np.bool_], str]] = []
    if counts.dtype.kind == "f":
        there = ~np.isnan(counts).all((1, 2), keepdims=True)
        flaws += [(np.isnan(counts) & there, "hold NaN"), (np.isinf(counts), "hold infinite counts")]
    if counts.dtype.kind in "fi":
        flaws.append((np.nan_to_num(counts, nan=0, neginf=0) < 0, "hold negative counts"))
    for where, what in flaws:
        if where.any():
            notes.append(f"{int(where.sum())} voxels {what}: taken as not measured")
            values[torch.from_numpy(where)] = torch.nan
    return values, notes


def missing_line(missing: list[int], frames: int) -> str:
    """The same words for frames missing from any kind of file."""
    return f"{len(missing)} of {frames} frames are missing ({frames_listed(missing)}): taken as not measured"


def _full(counts: NDArray[Any]) -> tuple[NDArray[np.bool_] | None, str]:
    """Where counts are as large as they can be, and how large that is; None where nothing saturates."""
    if counts.dtype.kind in "ui":
        highest = np.iinfo(counts.dtype).max
        full = counts == highest
        if full.any():
            return full, f"{highest}, the largest {counts.dtype}"
    finite = counts if counts.dtype.kind in "ui" else np.where(np.isfinite(counts), counts, 0)
    top = finite.max(initial=0)
    if top < _BRIGHT:
        return None, ""
    full = finite == top
    if int(full.sum()) < _SHARING:
        return None, ""
    return full, f"{float(top):.10g} counts, the largest value, which {int(full.sum())} voxels share"
