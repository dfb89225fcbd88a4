"""Bits of a CXI pixel mask; 0 means that the pixel measured. Source: CXI file format 1.5 (cxidb.org)."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

INVALID: Final = 0x1
MISSING: Final = 0x200
BAD: Final = 0x6DF  # invalid, saturated, hot, dead, shadowed, ignored (condor), bad, missing, noisy
HAS_SIGNAL: Final = 0x1000


def to_bits(mask: NDArray[Any]) -> NDArray[np.uint32]:
    """CXI bits (..., H, W) uint32: bool True = measured becomes 0, False becomes INVALID; integers are bits already."""
    if mask.dtype == np.bool_:
        return np.where(mask, np.uint32(0), np.uint32(INVALID))
    return mask.astype(np.uint32)


def from_bits(bits: NDArray[Any]) -> NDArray[np.bool_]:
    """Measured pixels (..., H, W) bool of CXI bits: True where none of the BAD bits is set."""
    measured: NDArray[np.bool_] = (bits.astype(np.int64) & BAD) == 0
    return measured
