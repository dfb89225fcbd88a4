"""Conventions of mask values, and the choice of the one that a file follows.

cxi, nexus, euxfel: bits, 0 = measured, see below. good: 1 = measured (libspimage, EuXFEL good_pixels, DiffusionMap).
bad: 1 = not measured (spipy, cdiutils, bcdi). dragonfly: 0 used, 1 measured but not used for orientation, 2 not
measured. auto chooses by these rules:

1. Only zeros: everything is measured. A name with `good` or `bad`/`invalid`/`hot`/`dead` in it decides
   (zeros alone in a mask named `good` are refused).
2. A mask with a path or name that one of the bit conventions defines is read by it, unless 0 and 1 are its only values
   and that would exclude nearly all photons. Elsewhere values beyond 0 and 1 are CXI bits, or bits of which each
   rejects where CXI does not define them.
3. Else 0 and 1 (or 0 and 255): the value that covers the sentinels is not measured; if only one of the two holds
   photons, that one is measured; if both do, the more frequent one. As many zeros as ones: the user must choose.

CXI defines 15 bits, of which those in BAD reject a pixel. NeXus (``pixel_mask`` of NXdetector, also EIGER): every bit
rejects but the last, 31, which marks a virtual pixel between chips whose value is interpolated. European XFEL
(calibrated detectors): every bit rejects.
Sources: CXI file format 1.5 (cxidb.org); NeXus NXdetector (manual.nexusformat.org); EuXFEL pycalibration, BadPixels.
"""

from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from spi_lightning.errors import UserError
from spi_lightning.notes import Note

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


CONVENTIONS: Final = ("auto", "cxi", "nexus", "euxfel", "good", "bad", "dragonfly")
_NEARLY_ALL: Final = 0.9  # share of the photons or pixels
NOTHING_LEFT: Final = 0.999  # share of the photons
_FEW_PIXELS: Final = 0.02  # share of the pixels, which may hold most photons without a warning, as hot pixels do
_HOT: Final = 1e-3  # share of the pixels that may be hot, far brighter than all others
_WHITE: Final = (255, 65535)  # 1 in masks stored as images
_GOOD_NAMES: Final = ("good", "valid")
_BAD_NAMES: Final = ("bad", "invalid", "hot", "dead", "artefact", "artifact")

Mask = NDArray[np.bool_]


def measured(values: NDArray[Any], convention: str) -> Mask:
    """Mask (..., H, W) bool, True = measured, of stored values (..., H, W) in one of the conventions (not auto)."""
    if convention in ("cxi", "nexus", "euxfel"):
        return from_bits(values, convention)
    if convention == "dragonfly":
        return np.asarray(values < 2)
    return np.asarray((values != 0) if convention == "good" else (values == 0))


def choose_convention(
    values: NDArray[Any],
    frames: NDArray[np.float32],
    convention: str,
    where: str,
    bits: str = "",
    dead: Mask | None = None,
    saturated: Mask | None = None,
) -> tuple[str, Note]:
    """Choose the convention of a mask and check it against the photons.

    Args:
        values: Mask as stored, (H, W), or (n, H, W) for the n sample frames.
        frames: Sample of n patterns (n, H, W), any unit, finite, 0 at sentinels.
        convention: auto, cxi, nexus, euxfel, good, bad or dragonfly.
        where: File and key, for messages; the last part of the key may decide.
        bits: Bit convention defined for the path of the mask: cxi, nexus, euxfel; empty if none.
        dead: (H, W) bool, pixels that hold a sentinel in every frame.
        saturated: (n, H, W) bool, counts at the largest value, as in hot pixels, which are not used as evidence.

    Returns:
        The convention (not auto) and a note with the choice, its reason, and the shares that it excludes.

    Raises:
        UserError: Unknown convention; undecidable by auto; a mask that would exclude all pixels, or most pixels with
            nearly all photons.
    """
    if convention not in CONVENTIONS:
        raise UserError(f"data.mask_convention={convention} is unknown; choose one of {', '.join(CONVENTIONS)}")
    if not np.isfinite(values).all() or (values.dtype.kind == "f" and (values != np.rint(values)).any()):
        raise UserError(f"{where}: mask values must be whole numbers, not weights or NaN; correct the mask")
    integers = values.astype(np.int64)
    dead = np.zeros(values.shape[-2:], dtype=bool) if dead is None else dead
    plain = frames if saturated is None else np.where(saturated, np.float32(0), frames)
    chosen, why = (convention, "as set") if convention != "auto" else _choose(integers, plain, where, bits, dead)
    keep = measured(integers, chosen)
    pixels, photons = excluded_shares(keep, plain)
    excludes = f"excludes {pixels:.2%} of the pixels, {excluded_shares(keep, frames)[1]:.2%} of the photons"
    if saturated is not None and (saturated & ~keep).any():
        excludes += f" ({photons:.2%} where counts at the largest value are left out)"
    note = Note.of(f"{_MEANING[chosen]} = measured ({why}); {excludes}", where)
    limit = NOTHING_LEFT if convention != "auto" else _NEARLY_ALL
    if pixels == 1 or (pixels > 0.5 and photons > limit):
        other = "bad" if chosen == "good" else "good"
        raise UserError(f"{note}: is its sense inverted? try data.mask_convention={other}")
    if pixels > _FEW_PIXELS and not (convention != "auto" and pixels > 0.5) and _most_photons(keep, plain):
        note = Note.warning(f"{note.text}: more than half of the photons; is the sense right?", where)
    return chosen, note


_MEANING: Final = {
    "cxi": "CXI bits, 0",
    "nexus": "NeXus bits, 0 (or bit 31 alone, a virtual pixel)",
    "euxfel": "bits of which each rejects (European XFEL), 0",
    "good": "1",
    "bad": "0",
    "dragonfly": "Dragonfly classes, 0 and 1",
}


def _choose(
    values: NDArray[np.int64], frames: NDArray[np.float32], where: str, bits: str, dead: Mask
) -> tuple[str, str]:
    """Convention and reason by the rules at the top of this module."""
    named = convention_of_name(where.rsplit("/", 1)[-1].rsplit(":", 1)[-1])
    if not values.any():
        if named == "good":
            raise UserError(
                f"{where}: is 0 everywhere, which by its name means that nothing was measured; if 0 means measured "
                "here, give data.mask_convention=bad, else leave the mask out"
            )
        return "bad", "all values are 0"
    if named:
        return named, "by its name"
    if values.min() < 0 and not bits:  # of bits, the last one in a signed type
        raise UserError(f"{where}: mask values below 0 have no known meaning; give data.mask_convention=")
    highest = int(values.max())
    binary = highest <= 1 or (highest in _WHITE and bool(((values == 0) | (values == highest)).all()))
    if bits or not binary:
        chosen = bits or _convention_of_bits(values)
        pixels, photons = excluded_shares(measured(values, chosen), frames)
        title = {"cxi": "CXI", "nexus": "NeXus", "euxfel": "European XFEL"}[chosen]
        if binary and pixels > 0.5 and photons > (_NEARLY_ALL if pixels > _NEARLY_ALL else NOTHING_LEFT):
            return "good", f"against {title}, whose bits would exclude nearly all photons"
        return chosen, f"where {title} keeps its mask" if bits else "values beyond 0 and 1"
    return _by_evidence(values > 0, frames, where, dead)


def convention_of_name(name: str) -> str:
    """Convention good or bad that the name of a mask states; empty if neither."""
    lower = name.lower()
    if any(word in lower for word in _BAD_NAMES):
        return "bad"
    return "good" if any(word in lower for word in _GOOD_NAMES) else ""


def _convention_of_bits(values: NDArray[np.int64]) -> str:
    """Bit convention of a mask by its values alone: CXI if it defines all of the bits in use."""
    used = int(np.bitwise_or.reduce(values, axis=None))
    if not used & ~CXI_BITS:
        return "cxi"
    return "nexus" if used & VIRTUAL else "euxfel"


def _by_evidence(ones: Mask, frames: NDArray[np.float32], where: str, dead: Mask) -> tuple[str, str]:
    """Convention of a 0/1 mask by the pixels of the sentinels and the photons, else by the majority."""
    zeros = ~ones
    if not zeros.any():
        return "good", "all values are 1"
    for side, sense, digit in ((ones, "bad", 1), (zeros, "good", 0)):
        covered = int((side & dead).sum())
        if covered > 0.5 * side.sum() and covered > _NEARLY_ALL * np.broadcast_to(dead, side.shape).sum():
            return sense, f"where it is {digit} the patterns hold sentinels instead of counts"
    share = excluded_shares(zeros, frames)[1]  # of photons under ones
    if share == 1:
        return "good", "there are no photons where it is 0"
    if share == 0 and frames.any():
        return "bad", "there are no photons where it is 1"
    count, total = int(ones.sum()), ones.size
    if 2 * count == total:
        raise UserError(f"{where}: as many ones as zeros, both with photons; give data.mask_convention=good or bad")
    return ("good", "most pixels are 1") if 2 * count > total else ("bad", "most pixels are 0")


def excluded_shares(keep: Mask, frames: NDArray[np.float32]) -> tuple[float, float]:
    """Shares of the pixels and of the photons of frames (n, H, W) outside a mask (H, W) or (n, H, W), 0 to 1."""
    total = float(frames.sum(dtype=np.float64))
    outside = float(np.where(keep, 0, frames).sum(dtype=np.float64))
    return 1 - float(keep.mean()), outside / total if total > 0 else 0.0


def _most_photons(keep: Mask, frames: NDArray[np.float32]) -> bool:
    """Whether more than half of the photons lie outside a mask, without counting the few brightest pixels there."""
    excluded = np.sort(np.where(keep, 0, frames).sum(0, dtype=np.float64), axis=None)
    hot = excluded[-int(np.ceil(_HOT * excluded.size)) :].sum()
    total = float(frames.sum(dtype=np.float64)) - hot
    return bool(total > 0 and (excluded.sum() - hot) / total > 0.5)
