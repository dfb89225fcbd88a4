"""Saturated counts: those at the largest value that a detector can hold."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .sentinels import NARROW, Mask, Sentinel, as_number

_SHARING: Final = 8  # voxels at exactly the largest value from which a detector saturates there
_BRIGHT: Final = 200  # counts; below, this many voxels share the largest value by chance


def find_saturated(frames: NDArray[Any], sentinels: Mask) -> tuple[Mask, list[Sentinel]]:
    """Find counts at the largest value that a detector can hold.

    That is the largest integer of the type, or of 8, 16, 20 or 24 bits if two voxels share it as the largest value; and
    the largest value of a bright array if eight voxels or more share it.

    Args:
        frames: (N, H, W) or (H, W) counts as stored.
        sentinels: Mask of sentinels, of the same shape.

    Returns:
        Bool of the same shape, True where saturated; one entry for the value, if there is one.
    """
    none = np.zeros(frames.shape, dtype=bool)
    valid = ~sentinels if frames.dtype.kind in "ui" else ~sentinels & np.isfinite(frames)
    if not valid.any() or frames.dtype.kind not in "uif":
        return none, []
    top = frames[valid].max()
    where = valid & (frames == top)
    pixels = int(where.sum())
    if frames.dtype.kind in "ui" and top == np.iinfo(frames.dtype).max:
        why = f"the largest {frames.dtype}"
    elif (pixels > 1 and float(top) in NARROW) or (top >= _BRIGHT and pixels >= _SHARING):
        why = "the largest value"
    else:
        return none, []
    return where, [Sentinel(as_number(top), pixels, why, always=False)]
