"""Check of the beam centre that a file states: row and column inside the frames, one for all or one per frame."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spi_lightning.fields import BEAM_CENTRE
from spi_lightning.notes import Note
from spi_lightning.physics.frames.beam_centre import LEAST_OVERLAP

from .pattern_file import PatternFile


def check_beam_centre(file: PatternFile) -> None:
    """Keep the stated row and column of the direct beam, (2,) or (N, 2) pixel, if inside the frames; note if not.

    A centre outside the frames is left out, because symmetry is searched for inside them. Of one centre per frame only
    those that are not numbers or lie outside become NaN.
    """
    stated = file.geometry.pop(BEAM_CENTRE, None), file.labels.pop(BEAM_CENTRE, None)
    if stated[0] is None and stated[1] is None:
        return
    count, height, width = file.shape
    centre = np.asarray(stated[0] if stated[1] is None else stated[1])
    if centre.dtype.kind not in "uif" or centre.shape not in ((2,), (1, 2), (count, 2)):
        what = f"is {centre.dtype} of shape {centre.shape}" if centre.ndim > 1 else _numbers(centre)
        file.notes.append(Note.of(f"beam_centre {what}; row and column are needed: not used", str(file.path)))
        return
    centre = centre.astype(np.float64) if centre.shape == (count, 2) else centre.reshape(2).astype(np.float64)
    inside = ((centre >= -0.5) & (centre <= np.array([height, width]) - 0.5)).all(-1)
    if not inside.all():
        first = centre.reshape(-1, 2)[int(np.argmin(inside.reshape(-1)))]
        where = f"{int((~inside).sum())} of {count} frames' beam centres, first" if centre.ndim == 2 else "beam centre"
        file.notes.append(
            Note.of(
                f"{where} row {first[0]:g}, column {first[1]:g}, outside the {height} x {width} pixels of a "
                "frame: not used",
                str(file.path),
            )
        )
        centre[~inside] = np.nan
    overlap = np.prod(1 - np.abs(2 * centre - np.array([height, width]) + 1) / np.array([height, width]), axis=-1)
    if centre.ndim == 1 and inside and overlap < LEAST_OVERLAP:
        file.notes.append(
            Note.of(
                f"beam centre row {centre[0]:g}, column {centre[1]:g} is so near the edge that symmetry "
                "about it cannot be measured: frames get no beam centre of their own",
                str(file.path),
            )
        )
    if inside.any():
        file.geometry[BEAM_CENTRE] = centre
        if centre.ndim == 2:
            file.labels[BEAM_CENTRE] = centre.astype(np.float32)


def _numbers(centre: NDArray[np.generic]) -> str:
    """Description of a vector or scalar that is not a row and column."""
    if centre.dtype.kind not in "uif":
        return f"is {centre.reshape(-1)[0]!s}" if centre.size else "is empty"
    return f"holds {centre.size} number{'s' if centre.size != 1 else ''}"
