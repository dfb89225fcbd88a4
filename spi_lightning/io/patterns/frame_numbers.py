"""Frame selections of a list: frame numbers from 0, or one boolean per frame."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spi_lightning.errors import UserError

_DIGITS = re.compile(r"[+-]?\d{1,18}")
_WORDS = {"true": True, "false": False}


def frame_numbers(values: NDArray[Any], frames: int, where: str) -> tuple[NDArray[np.int64], str]:
    """Frame numbers that a list selects.

    Args:
        values: (n,) frame numbers from 0, in any order; or (N,) booleans, the words True and False, or 0 and 1.
        frames: Number of frames N in the file.
        where: Option and name of the list, for messages.

    Returns:
        (n,) frame numbers, and the interpretation of the list in words.

    Raises:
        UserError: Numbers that are not whole, NaN, below 0 or beyond the frames; not one boolean per frame; or no
            frames were selected.
    """
    values = np.asarray(values)
    if values.ndim == 2 and 1 in values.shape:
        values = values.reshape(-1)
    if values.ndim != 1:
        raise UserError(f"{where} has shape {values.shape}; give one frame number in each line")
    values = _without_words(values, where)
    if values.dtype.kind not in "biuf":
        raise UserError(f"{where} holds {values.dtype}; give frame numbers from 0 to {frames - 1}")
    if _are_marks(values, frames, where):
        numbers, what = np.flatnonzero(values), "frames marked with 1" if values.dtype.kind != "b" else "frames of True"
    else:
        bad = ~np.isfinite(values) if values.dtype.kind == "f" else np.zeros(len(values), dtype=bool)
        bad |= (values != np.rint(values)) | (values < 0) | (values >= frames)
        if bad.any():
            first = int(np.argmax(bad))
            more = f" ({int(bad.sum()) - 1} more alike)" if bad.sum() > 1 else ""
            raise UserError(
                f"{where}: entry {first + 1} is {values[first]}{more}; frame numbers are whole, from 0 to {frames - 1}"
            )
        numbers, what = values.astype(np.int64), "frame numbers from 0"
    if len(numbers) == 0:
        raise UserError(f"{where}: no frames were selected; give frame numbers from 0 to {frames - 1}")
    return numbers.astype(np.int64), what


def _without_words(values: NDArray[Any], where: str) -> NDArray[Any]:
    """Values (n,) with words converted: to booleans if all are True or False, to integers if all are digits."""
    if values.dtype.kind not in "OSU":
        return values
    words = [word.decode(errors="replace") if isinstance(word, bytes) else str(word) for word in values.tolist()]
    if all(_DIGITS.fullmatch(word.strip()) for word in words):
        return np.array([int(word) for word in words])
    marks = [_WORDS.get(word.strip().lower()) for word in words]
    if None in marks:
        first = words[marks.index(None)]
        raise UserError(f"{where}: {first!r} is neither a frame number nor True or False; correct the list")
    return np.array(marks, dtype=bool)


def _are_marks(values: NDArray[Any], frames: int, where: str) -> bool:
    """Whether values are one boolean per frame; 0 and 1, once each, are frame numbers."""
    binary = values.dtype.kind == "b" or bool(np.isin(values, (0, 1)).all())
    if not binary or (values.dtype.kind != "b" and len(np.unique(values)) == len(values)):
        return False
    if len(values) != frames:
        kind = "True and False" if values.dtype.kind == "b" else "0 and 1 repeatedly"
        raise UserError(
            f"{where} holds {kind}, {len(values)} values for {frames} frames; give one value per frame, or frame "
            "numbers"
        )
    return True
