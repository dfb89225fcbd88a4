"""Data sets of a rocking scan that may be what its reader misses: numbers with a fitting unit under unknown names."""

from collections.abc import Collection
from typing import Final

import h5py
import numpy as np

from spi_lightning.io.hdf5.links import walk
from spi_lightning.io.hdf5.values import POSSIBLE
from spi_lightning.io.units import TABLE, Kind, named_unit
from spi_lightning.notes import Note

_MOST: Final = 4  # candidates that a note names
_KINDS: Final[dict[str, Kind]] = {"photon_energy": "energy", "distance": "length", "pixel_size": "length"}


def candidate_notes(file: h5py.File, frames: int, missing: Collection[str]) -> list[Note]:
    """Note on data sets that may hold missing quantities, with the options that take them; none without any.

    Args:
        file: HDF5 file opened for reading.
        frames: Number of frames of the scan.
        missing: Quantities that were not found: ``photon_energy``, ``distance``, ``pixel_size``, ``step_deg``.
    """
    found: dict[str, str] = {}
    for name, item in walk(file):
        if not isinstance(item, h5py.Dataset) or item.dtype.kind not in "uif":
            continue
        if item.shape == (frames,) and "step_deg" in missing and _turns(item):
            found.setdefault(f"data.keys.angle={name}", "the rocking angles?")
        elif item.size == 1:
            found.update(_scalar(name, item, missing))
    if not found:
        return []
    text = "; ".join(f"{option} ({what})" for option, what in list(found.items())[:_MOST])
    return [Note.hint(f"data sets under names that are not known may be what is missing: {text}", file.filename)]


def _turns(item: h5py.Dataset) -> bool:
    """Whether values (frames,) have a unit of angles and rise or fall throughout."""
    steps = np.diff(np.asarray(item[()], dtype=np.float64))
    return named_unit(item).lower() in TABLE["angle"] and bool((steps > 0).all() or (steps < 0).all())


def _scalar(name: str, item: h5py.Dataset, missing: Collection[str]) -> dict[str, str]:
    """Options that a number with a unit may stand for, if it is possible there, with the value as it is stored."""
    unit = named_unit(item)
    value = float(np.ravel(np.asarray(item[()], dtype=np.float64))[0])
    for quantity, kind in _KINDS.items():
        low, high = POSSIBLE[quantity]
        by = TABLE[kind].get(unit.lower())
        if quantity in missing and by is not None and low <= by * value <= high:
            return {f"data.geometry.{quantity}={by * value:.6g}": f"{name}, {value:g} {unit}"}
    return {}
