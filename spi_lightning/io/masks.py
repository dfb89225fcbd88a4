"""Which mask values mean "measured"? Five senses are in use; this says which one a file follows, and why.

cxi: bits, 0 = good (CXI). good: 1 = measured (libspimage, EuXFEL good_pixels, DiffusionMap). bad: 1 = not measured
(spipy, cdiutils, bcdi). dragonfly: 0 used, 1 measured but not used for orientation, 2 not measured. auto decides so:

1. Only zeros: everything is measured. A name with `good` or `bad`/`invalid`/`hot`/`dead` in it means what it says
   (zeros alone in a mask named `good` are refused).
2. Values beyond 0 and 1 are CXI bits; so is any mask at a place where CXI defines it, unless that would exclude
   nearly all photons while its opposite excludes few.
3. Else 0 and 1: if only one of the two holds photons, that one is measured; if both do, the more frequent one is.
   As many zeros as ones: the user must say.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spi_lightning.fields import UserError
from spi_lightning.io import mask_bits

CONVENTIONS: Final = ("auto", "cxi", "good", "bad", "dragonfly")
_NEARLY_ALL: Final = 0.9
_GOOD_NAMES: Final = ("good", "valid")
_BAD_NAMES: Final = ("bad", "invalid", "hot", "dead", "artefact", "artifact")

Mask = NDArray[np.bool_]


def measured(values: NDArray[Any], convention: str) -> Mask:
    """Translate mask values (..., H, W) to bool, True = measured, by one of the four senses (not auto)."""
    if convention == "cxi":
        return mask_bits.from_bits(values)
    if convention == "dragonfly":
        return np.asarray(values < 2)
    return np.asarray((values != 0) if convention == "good" else (values == 0))


def choose_convention(
    values: NDArray[Any], frames: NDArray[np.float32], convention: str, where: str, cxi: bool = False
) -> tuple[str, str]:
    """Settle the sense of a mask and check it against the photons.

    Args:
        values: (H, W), or (n, H, W) for the n sample frames, as stored.
        frames: (n, H, W) some patterns, any unit, finite.
        convention: auto, cxi, good, bad or dragonfly.
        where: File and key, for messages; the key's last part may tell the sense.
        cxi: The mask lies where CXI defines it.

    Returns:
        The sense (not auto) and one line that says what was chosen, why, and what it excludes.

    Raises:
        UserError: Unknown convention; auto cannot tell; the chosen sense would exclude all pixels, or most pixels with
            nearly all photons.
    """
    if convention not in CONVENTIONS:
        raise UserError(f"data.mask_convention={convention} is unknown; choose one of {', '.join(CONVENTIONS)}")
    if not np.isfinite(values).all() or (values.dtype.kind == "f" and (values != np.rint(values)).any()):
        raise UserError(f"{where}: mask values must be whole numbers; weights or NaN are not understood")
    integers = values.astype(np.int64)
    sense, why = (convention, "as asked") if convention != "auto" else _decide(integers, frames, where, cxi)
    pixels, photons = _excluded(measured(integers, sense), frames)
    meaning = {"cxi": "CXI bits, 0", "good": "1", "bad": "0", "dragonfly": "Dragonfly classes, 0 and 1"}[sense]
    note = f"{where}: {meaning} = measured ({why}); excludes {pixels:.2%} of the pixels, {photons:.2%} of the photons"
    if pixels == 1 or (pixels > 0.5 and photons > _NEARLY_ALL):
        other = "good" if sense in ("bad", "cxi", "dragonfly") else "bad"
        raise UserError(f"{note}: is its sense inverted? try data.mask_convention={other}")
    if photons > 0.5:
        note += " - WARNING: more than half of the photons; is the sense right?"
    return sense, note


def _decide(values: NDArray[np.int64], frames: NDArray[np.float32], where: str, cxi: bool) -> tuple[str, str]:
    """Apply the rules at the top of this module: sense and reason."""
    name = where.rsplit("/", 1)[-1].rsplit(":", 1)[-1].lower()
    bad, good = (any(word in name for word in words) for words in (_BAD_NAMES, _GOOD_NAMES))
    if not values.any():
        if good and not bad:
            raise UserError(
                f"{where}: is 0 everywhere, which by its name means that nothing was measured; if 0 means measured "
                "here, give data.mask_convention=bad, else leave the mask out"
            )
        return "bad", "all values are 0"
    if bad or good:
        return "bad" if bad else "good", "by its name"
    if values.min() < 0:
        raise UserError(f"{where}: mask values below 0 are not understood; give data.mask_convention=")
    binary = values.max() <= 1
    if cxi or not binary:
        pixels, photons = _excluded(measured(values, "cxi"), frames)
        inverted = binary and pixels > 0.5 and photons > _NEARLY_ALL
        if not inverted:
            return "cxi", "where CXI keeps its mask" if cxi else "values beyond 0 and 1"
        return "good", "against CXI, whose bits would exclude nearly all photons"
    return _by_evidence(values == 1, frames, where)


def _by_evidence(ones: Mask, frames: NDArray[np.float32], where: str) -> tuple[str, str]:
    """Sense of a 0/1 mask from where the photons are, else from the majority."""
    zeros = ~ones
    if not zeros.any():
        return "good", "all values are 1"
    share = _excluded(zeros, frames)[1]  # of photons under ones
    if share == 1:
        return "good", "there are no photons where it is 0"
    if share == 0 and frames.any():
        return "bad", "there are no photons where it is 1"
    count, total = int(ones.sum()), ones.size
    if 2 * count == total:
        raise UserError(f"{where}: as many ones as zeros, both with photons; give data.mask_convention=good or bad")
    return ("good", "most pixels are 1") if 2 * count > total else ("bad", "most pixels are 0")


def _excluded(keep: Mask, frames: NDArray[np.float32]) -> tuple[float, float]:
    """Shares of pixels and of photons outside a mask."""
    total = float(frames.sum(dtype=np.float64))
    outside = float(np.where(keep, 0, frames).sum(dtype=np.float64))
    return 1 - float(keep.mean()), outside / total if total > 0 else 0.0
