"""Mask bits in the conventions of CXI, NeXus and European XFEL; 0 is a measured pixel.

CXI: 15 bits are defined, of which those in BAD reject a pixel. NeXus (``pixel_mask`` of NXdetector, also EIGER): every
bit rejects but the last, 31, which marks a virtual pixel between chips whose value is interpolated. European XFEL
(calibrated detectors): every bit rejects.
Sources: CXI file format 1.5 (cxidb.org); NeXus NXdetector (manual.nexusformat.org); EuXFEL pycalibration, BadPixels.
"""

from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

INVALID: Final = 0x1
BAD: Final = 0x6DF  # invalid, saturated, hot, dead, shadowed, ignored (condor), bad, missing, noisy
HAS_SIGNAL: Final = 0x1000
CXI_BITS: Final = 0x7FFF
VIRTUAL: Final = 0x80000000
_EUXFEL_KEYS: Final = ("module_identifier", "trainId", "pulseId", "cellId")
_LEVELS: Final = 3  # groups above a mask in which European XFEL's keys are looked for


def to_bits(mask: NDArray[Any]) -> NDArray[np.uint32]:
    """CXI bits (..., H, W) uint32 of a mask: bool True = measured becomes 0, False INVALID; integers are bits."""
    if mask.dtype == np.bool_:
        return np.where(mask, np.uint32(0), np.uint32(INVALID))
    return mask.astype(np.uint32)


def from_bits(bits: NDArray[Any], convention: str = "cxi") -> NDArray[np.bool_]:
    """Mask (..., H, W) bool, True = measured, of bits in the convention cxi, nexus or euxfel."""
    rejecting = {"cxi": BAD, "nexus": ~VIRTUAL & 0xFFFFFFFF, "euxfel": -1}[convention]
    measured: NDArray[np.bool_] = (bits.astype(np.int64) & rejecting) == 0
    return measured


def convention_of(item: h5py.Dataset) -> str:
    """Bit convention of a mask by its name and groups: nexus, euxfel or cxi; empty if unknown."""
    *groups, name = item.name.strip("/").split("/")
    parent = item.parent
    for _ in range(_LEVELS):
        if any(key in parent for key in _EUXFEL_KEYS):
            return "euxfel"
        parent = parent.parent
    if groups[:1] == ["INSTRUMENT"] or any(group.endswith(":xtdf") for group in groups):
        return "euxfel"
    if name == "pixel_mask":
        return "nexus"
    if name == "mask" and groups and groups[-1].rpartition("_")[0] in ("detector", "data"):
        return "cxi"
    return "nexus" if item.parent.attrs.get("NX_class") in ("NXdetector", b"NXdetector") else ""
