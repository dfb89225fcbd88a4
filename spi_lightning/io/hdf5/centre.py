"""Where a file says that the direct beam meets the detector: row and column of its frames, pixel.

Files hold one pair (``beam_centre``: row, column), or as NeXus does one number along x and one along y
(``beam_center_x``, ``beam_center_y``). NeXus has them as lengths and most programs write pixels: the unit decides.
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

_LEAST_PIXELS: Final = 0.3  # below, a centre without a unit is no number of pixels, but a length as NeXus has it
_PIXELS: Final = ("pixel", "pixels", "px", "pix")


def pair_of_centre(places: Sequence[Named], frames: int, edges: Edges, notes: list[Note]) -> NDArray[np.float64] | None:
    """Row and column of the first place that states them, (2,) or (frames, 2); None where none does.

    Whether they lie inside the frames is not looked at: see stated_centre.py.

    Args:
        places: Groups and data sets, nearest first.
        frames: Number of frames.
        edges: Of a pixel along rows' and columns' counting, m, for centres that are lengths; None where unknown.
        notes: Takes a line for each value that is not used.
    """
    for place, group in places:
        for value in values_of(place, group, BEAM_CENTRE):
            numbers = numbers_of(value.stored)
            if numbers is None or numbers.shape not in ((2,), (1, 2), (frames, 2)):
                notes.append(Note.of(f"{value.where} is not used: row and column are two numbers"))
                continue
            row, column = (_in_pixels(numbers[..., axis], value, edges[axis], notes) for axis in (0, 1))
            if row is not None and column is not None:
                return np.stack([row, column], axis=-1)
        if (found := centre_of_nexus([(place, group)], frames, edges, notes)) is not None:
            return found
    return None


def centre_of_nexus(
    places: Sequence[Named], frames: int, edges: Edges, notes: list[Note]
) -> NDArray[np.float64] | None:
    """As ``pair_of_centre``, of one number along y and one along x; both 0, a detector's default, state nothing."""
    for place, group in places:
        rows, columns = (next(iter(values_of(place, group, name)), None) for name in (BEAM_ROW, BEAM_COLUMN))
        if rows is None or columns is None:
            if (alone := rows or columns) is not None:
                notes.append(Note.of(f"{alone.where} is not used: the beam centre along the other axis is not there"))
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
    """Pixels along one axis, () or (frames,) where they differ; None, with a note, where a value is not usable."""
    number, unit = spelled_number(value)
    numbers = numbers_of(number)
    if numbers is None or numbers.size == 0:
        notes.append(Note.of(f"{value.where} is empty or no number and is not used as beam centre"))
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
    """Places along one axis in pixels, by the unit of a value; None, with a note, where it cannot be told."""
    unit = value.unit.strip().rstrip(".").lower()
    if not unit and edge is not None and 0 < np.max(numbers) < _LEAST_PIXELS:
        notes.append(
            Note.of(f"{value.where} has no unit; it is taken in m, in pixels it would be the corner of the detector")
        )
        unit = "m"
    if not unit or unit in _PIXELS:
        return np.asarray(numbers, dtype=np.float64)
    if unit not in TABLE["length"]:
        notes.append(Note.of(f"{value.where} is not used as beam centre: {value.unit!r} is no pixel and no length"))
        return None
    if edge is None:
        notes.append(
            Note.of(f"{value.where} is not used as beam centre: it is a length, and the file has no pixel size")
        )
        return None
    return np.asarray(numbers, dtype=np.float64) * factor(unit, "length", value.where) / edge
