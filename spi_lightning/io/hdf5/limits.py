"""Range of valid counts of a detector, as NeXus states it: saturation_value, underload_value, bit_depth_readout.

Source: NeXus NXdetector (manual.nexusformat.org): counts above saturation_value or below underload_value are invalid.
A count equal to the saturation value was clipped, and is saturated too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from spi_lightning.notes import Note

from .groups import surroundings
from .links import get_object
from .storage import whole

_HIGH: Final = ("saturation_value", "countrate_correction_count_cutoff")
_LOW: Final = "underload_value"
_BITS: Final = "bit_depth_readout"
_MAX_EXCLUDED: Final = 0.5  # share of the voxels; a limit that excludes more is ignored
_IGNORED: Final = "not taken as a limit of the counts"


@dataclass(frozen=True)
class Limits:
    """Valid range of counts: saturated at ``high`` and above, not measured below ``low``.

    Attributes:
        low, high: Limits in the unit of the stored counts; infinite where the file states none.
        bits: Bit depth of the readout, 0 where the file states none; counts summed over readouts exceed it.
        low_from, high_from, bits_from: Names of the data sets that state them, for messages.
    """

    low: float = -np.inf
    high: float = np.inf
    bits: int = 0
    low_from: str = ""
    high_from: str = ""
    bits_from: str = ""

    def over(self, frames: NDArray[Any]) -> NDArray[np.bool_]:
        """Mask of saturated counts of frames (..., H, W), bool of the same shape."""
        return np.asarray(frames >= self.high) if np.isfinite(self.high) else np.zeros(frames.shape, bool)

    def under(self, frames: NDArray[Any]) -> NDArray[np.bool_]:
        """Mask of counts below the range of frames (..., H, W), bool of the same shape."""
        return np.asarray(frames < self.low) if np.isfinite(self.low) else np.zeros(frames.shape, bool)

    def fitting(self, frames: NDArray[Any], marked: NDArray[np.bool_]) -> tuple[Limits, list[Note]]:
        """The limits without those that exclude most of the counts, and a note for each that excludes or is ignored.

        Args:
            frames: Sample frames as stored, (n, H, W).
            marked: Mask of the counts known as not measured, (n, H, W) bool.
        """
        found, notes = self, []
        valid = ~marked
        measured = max(1, int(valid.sum()))
        if self.bits and not np.isfinite(self.high) and frames.dtype.kind in "ui" and valid.any():
            full = float(2**self.bits - 1)
            if float(frames[valid].max()) == full:
                found = replace(found, high=full, high_from=f"the largest of {self.bits} bits by {self.bits_from}")
        for high, where, words, limit, source in (
            (True, found.over(frames), "at or above", found.high, found.high_from),
            (False, found.under(frames), "below", found.low, found.low_from),
        ):
            voxels = int((where & valid).sum())
            if voxels > _MAX_EXCLUDED * measured:
                notes.append(
                    Note.warning(f"{voxels / measured:.0%} of the voxels are {words} {limit:g}, {source}: {_IGNORED}")
                )
                found = replace(found, high=np.inf) if high else replace(found, low=-np.inf)
            elif voxels:
                are = "voxel is" if voxels == 1 else "voxels are"
                notes.append(
                    Note.of(f"{voxels} {are} {words} {limit:g}, {source}: {'saturated, ' if high else ''}not measured")
                )
        return found, notes


def stated_limits(file: h5py.File, key: str, notes: list[Note]) -> Limits:
    """Limits in the groups of the detector of a data set, or among the attributes of the data set.

    Args:
        file: HDF5 file opened for reading.
        key: Name of the data set of counts.
        notes: List that gets a line for each value that is not a valid limit.
    """
    item = file[key]
    sources = [item.attrs, *(group for _, group in surroundings(file, key).detector)]

    def look(*names: str) -> tuple[float, str] | None:
        for source in sources:
            for name in names:
                stored = source.get(name) if isinstance(source, h5py.AttributeManager) else get_object(source, name)
                if stored is None or isinstance(stored, h5py.Group):
                    continue
                where = f"{name} of {item.name}" if isinstance(source, h5py.AttributeManager) else str(stored.name)
                value = _one_number(stored)
                if value is not None:
                    return value, where
                notes.append(Note.of(f"{where} is not a finite number and is {_IGNORED}", file.filename))
        return None

    found = Limits()
    high, low, bits = look(*_HIGH), look(_LOW), look(_BITS)
    if high is not None and high[0] > 0:
        found = replace(found, high=high[0], high_from=high[1])
    elif high is not None:
        notes.append(Note.of(f"{high[1]} = {high[0]:g} is not positive and is {_IGNORED}", file.filename))
    if low is not None and low[0] < found.high:
        found = replace(found, low=low[0], low_from=low[1])
    if bits is not None and bits[0] == int(bits[0]) and 0 < bits[0] < 64:
        found = replace(found, bits=int(bits[0]), bits_from=bits[1])
    return found


def _one_number(stored: Any) -> float | None:
    """Value of an attribute or data set that holds one finite number, once or repeated; None for anything else."""
    value = np.ravel(whole(stored)[()] if isinstance(stored, h5py.Dataset) else stored)
    numbers = value if value.dtype.kind in "uif" else np.empty(0)
    single = len(numbers) > 0 and bool(np.isfinite(numbers).all()) and float(np.ptp(numbers)) == 0
    return float(numbers[0]) if single else None
