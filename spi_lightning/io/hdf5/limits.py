"""Range of counts that a detector can hold, as NeXus states it: saturation_value, underload_value, bit_depth_readout.

Source: NeXus NXdetector (manual.nexusformat.org): what lies above saturation_value or below underload_value is invalid.
A count that stands at the saturation value itself is one that was cut there, and is taken as saturated, too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from spi_lightning.notes import Note

from .choice import there
from .groups import surroundings
from .storage import whole

_HIGH: Final = ("saturation_value", "countrate_correction_count_cutoff")
_LOW: Final = "underload_value"
_BITS: Final = "bit_depth_readout"
_MOST: Final = 0.5  # share of the voxels that a limit may exclude before it is not believed
_READ: Final = "not taken as a limit of the counts"


@dataclass(frozen=True)
class Limits:
    """Counts from ``high`` on are saturated, those below ``low`` are not measured.

    Attributes:
        low, high: In the unit of the stored counts; infinite where the file states none.
        bits: Of the readout, 0 where the file states none. Electronics that add up readouts hold more than these.
        low_from, high_from, bits_from: Data sets that state them.
    """

    low: float = -np.inf
    high: float = np.inf
    bits: int = 0
    low_from: str = ""
    high_from: str = ""
    bits_from: str = ""

    def over(self, frames: NDArray[Any]) -> NDArray[np.bool_]:
        """Where counts are saturated."""
        return np.asarray(frames >= self.high) if np.isfinite(self.high) else np.zeros(frames.shape, bool)

    def under(self, frames: NDArray[Any]) -> NDArray[np.bool_]:
        """Where counts lie below the range."""
        return np.asarray(frames < self.low) if np.isfinite(self.low) else np.zeros(frames.shape, bool)

    def fitting(self, frames: NDArray[Any], marked: NDArray[np.bool_]) -> tuple[Limits, list[Note]]:
        """The same without limits that exclude most of the counts, and one line for what is excluded or not believed.

        Args:
            frames: As stored.
            marked: Where they were not measured, which is said elsewhere.
        """
        found, notes = self, []
        valid = ~marked
        measured = max(1, int(valid.sum()))
        if self.bits and not np.isfinite(self.high) and frames.dtype.kind in "ui" and valid.any():
            full = float(2**self.bits - 1)
            if float(frames[valid].max()) == full:
                found = replace(found, high=full, high_from=f"the largest of {self.bits} bits by {self.bits_from}")
        for high, where, words, limit, place in (
            (True, found.over(frames), "at or above", found.high, found.high_from),
            (False, found.under(frames), "below", found.low, found.low_from),
        ):
            voxels = int((where & valid).sum())
            if voxels > _MOST * measured:
                notes.append(
                    Note.warning(f"{voxels / measured:.0%} of the voxels are {words} {limit:g}, {place}: {_READ}")
                )
                found = replace(found, high=np.inf) if high else replace(found, low=-np.inf)
            elif voxels:
                are = "voxel is" if voxels == 1 else "voxels are"
                notes.append(
                    Note.of(f"{voxels} {are} {words} {limit:g}, {place}: {'saturated, ' if high else ''}not measured")
                )
        return found, notes


def stated_limits(file: h5py.File, key: str, notes: list[Note]) -> Limits:
    """Limits in the groups of the detector that counted, or beside the data set ``key`` as its attributes.

    Args:
        file: Open file.
        key: Name of the counts.
        notes: Takes a line for values that cannot be limits.
    """
    item = file[key]
    places = [item.attrs, *(group for _, group in surroundings(file, key).detector)]

    def look(*names: str) -> tuple[float, str] | None:
        for place in places:
            for name in names:
                stored = place.get(name) if isinstance(place, h5py.AttributeManager) else there(place, name)
                if stored is None or isinstance(stored, h5py.Group):
                    continue
                where = f"{name} of {item.name}" if isinstance(place, h5py.AttributeManager) else str(stored.name)
                value = _one_number(stored)
                if value is not None:
                    return value, where
                notes.append(Note.of(f"{where} is no finite number and is {_READ}", file.filename))
        return None

    found = Limits()
    high, low, bits = look(*_HIGH), look(_LOW), look(_BITS)
    if high is not None and high[0] > 0:
        found = replace(found, high=high[0], high_from=high[1])
    elif high is not None:
        notes.append(Note.of(f"{high[1]} = {high[0]:g} is not positive and is {_READ}", file.filename))
    if low is not None and low[0] < found.high:
        found = replace(found, low=low[0], low_from=low[1])
    if bits is not None and bits[0] == int(bits[0]) and 0 < bits[0] < 64:
        found = replace(found, bits=int(bits[0]), bits_from=bits[1])
    return found


def _one_number(stored: Any) -> float | None:
    """The number of an attribute or data set, of several equal ones the first; None for anything else."""
    value = np.ravel(whole(stored)[()] if isinstance(stored, h5py.Dataset) else stored)
    numbers = value if value.dtype.kind in "uif" else np.empty(0)
    single = len(numbers) > 0 and bool(np.isfinite(numbers).all()) and float(np.ptp(numbers)) == 0
    return float(numbers[0]) if single else None
