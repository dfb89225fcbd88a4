"""Beam centre that an HDF5 file states: row and column where the direct beam meets the detector, pixel.

Files hold one pair (``beam_centre``: row, column), or as NeXus one number along x and one along y (``beam_center_x``,
``beam_center_y``). NeXus defines them as lengths and most programs write pixels: the unit decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from spi_lightning.fields import BEAM_CENTRE
from spi_lightning.io.units import TABLE, factor
from spi_lightning.notes import Note

from .groups import Named
from .values import BEAM_COLUMN, BEAM_ROW, Value, numbers_of, spelled_number, values_of

Edge = float | NDArray[np.float64] | None
Edges = tuple[Edge, Edge]

_MIN_PIXELS: Final = 0.3  # a smaller centre without a unit is not in pixels, but a length in m as in NeXus
_PIXELS: Final = ("pixel", "pixels", "px", "pix")


def read_beam_centre(
    sources: Sequence[Named], frames: int, edges: Edges, notes: list[Note]
) -> NDArray[np.float64] | None:
    """Row and column in the first source that states them, pixel, (2,) or (frames, 2); None if none does.

    Whether they lie inside the frames is checked by patterns/beam_centre.py.

    Args:
        sources: Groups and data sets by name, nearest first.
        frames: Number of frames in the file.
        edges: Pixel edges along y and along x, m, for centres stated as lengths; None where unknown.
        notes: List that gets a note for each value that is not used.
    """
    for source, group in sources:
        for value in values_of(source, group, BEAM_CENTRE):
            numbers = numbers_of(value.stored)
            if numbers is None or numbers.shape not in ((2,), (1, 2), (frames, 2)):
                notes.append(Note.of(f"{value.where} is not used: row and column are two numbers"))
                continue
            row, column = (_in_pixels(numbers[..., axis], value, edges[axis], notes) for axis in (0, 1))
            if row is not None and column is not None:
                return np.stack([row, column], axis=-1)
        if (found := read_nexus_beam_centre([(source, group)], frames, edges, notes)) is not None:
            return found
    return None


def read_nexus_beam_centre(
    sources: Sequence[Named], frames: int, edges: Edges, notes: list[Note]
) -> NDArray[np.float64] | None:
    """As ``read_beam_centre``, from one number along y and one along x; both 0, a detector's default, are ignored."""
    for source, group in sources:
        rows, columns = (next(iter(values_of(source, group, name)), None) for name in (BEAM_ROW, BEAM_COLUMN))
        if rows is None or columns is None:
            if (alone := rows or columns) is not None:
                notes.append(Note.of(f"{alone.where} is not used: the beam centre along the other axis is missing"))
            continue
        row, column = _of_frames(rows, frames, edges[0], notes), _of_frames(columns, frames, edges[1], notes)
        if row is None or column is None:
            continue
        centre = np.stack(np.broadcast_arrays(row, column), axis=-1)
        if not centre.any():
            notes.append(Note.of(f"{rows.where} and the one along x are 0 and state no beam centre"))
            continue
        return centre
    return None


def _of_frames(value: Value, frames: int, edge: Edge, notes: list[Note]) -> NDArray[np.float64] | None:
    """Centre along one axis, pixel, () or (frames,) where it varies; None, with a note, if it is not usable."""
    number, unit = spelled_number(value)
    numbers = numbers_of(number)
    if numbers is None or numbers.size == 0:
        notes.append(Note.of(f"{value.where} is empty or not a number and is not used as beam centre"))
        return None
    numbers = numbers.reshape(-1)
    numbers = numbers[0] if (numbers == numbers[0]).all() else numbers
    if numbers.size not in (1, frames):
        notes.append(
            Note.of(f"{value.where} holds {numbers.size} numbers for {frames} frames and is not used as beam centre")
        )
        return None
    return _in_pixels(numbers, Value(value.where, numbers, unit), edge, notes)


def _in_pixels(numbers: NDArray[np.float64], value: Value, edge: Edge, notes: list[Note]) -> NDArray[np.float64] | None:
    """Positions along one axis, pixel, converted by the unit of a value; None, with a note, if it is not usable."""
    unit = value.unit.strip().rstrip(".").lower()
    if not unit and edge is not None and 0 < np.max(numbers) < _MIN_PIXELS:
        notes.append(
            Note.of(f"{value.where} has no unit; it is taken in m, in pixels it would be the corner of the detector")
        )
        unit = "m"
    if not unit or unit in _PIXELS:
        return np.asarray(numbers, dtype=np.float64)
    if unit not in TABLE["length"]:
        notes.append(
            Note.of(f"{value.where} is not used as beam centre: {value.unit!r} is neither pixels nor a length")
        )
        return None
    if edge is None:
        notes.append(
            Note.of(f"{value.where} is not used as beam centre: it is a length, and the file has no pixel size")
        )
        return None
    return np.asarray(numbers, dtype=np.float64) * factor(unit, "length", value.where) / edge
