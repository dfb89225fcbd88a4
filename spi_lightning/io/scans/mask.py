"""Sense of the masks that lie beside the counts of a rocking scan."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.io.masks.convention import choose_convention, measured
from spi_lightning.notes import Note

_MOST: Final = 0.5  # share of the pixels that a mask may exclude before its sense is doubted
_NEARLY_ALL: Final = 0.9  # share of the photons with which it is then inverted
_VIRTUAL: Final = 0x7FFFFFFF  # bits of NeXus's pixel_mask but the last, which marks pixels that are interpolated


def bad_of_mask(values: NDArray[Any], counts: Tensor, where: str, cxi: bool, named: bool) -> tuple[Tensor, list[Note]]:
    """Pixels or voxels that a mask excludes, and what was decided.

    A mask that excludes most of the pixels with nearly all of the photons is inverted: it is turned and that is said,
    or refused where the user named it.

    Args:
        values: (rows, columns) or (frames, rows, columns), as stored.
        counts: (frames, rows, columns), NaN where not measured, infinite where saturated.
        where: File and data set; the name may tell the sense.
        cxi: The mask lies where CXI defines it, and holds bits.
        named: The user named it.

    Returns:
        Bool of the shape of the mask, True = bad, and notes.

    Raises:
        UserError: No whole numbers, an inverted mask that was named, or a sense that cannot be told.
    """
    name = where.rpartition("/")[2]
    if values.dtype.kind == "f" and not (np.isfinite(values).all() and (values == np.rint(values)).all()):
        raise UserError(f"{where}: mask values must be whole numbers; weights or NaN are not understood")
    if name == "pixel_mask":
        values = (values.astype(np.int64) & _VIRTUAL) != 0
        where = f"{where} (NeXus bits, bad where one is set)"
    elif named and not cxi and not _tells(name):
        values = values != 0  # data.keys.bad_pixels: nonzero is bad
    photons = torch.nan_to_num(counts, nan=0.0, posinf=0.0, neginf=0.0).clamp_min(0)
    frames = (photons if values.ndim == 3 else photons.sum(0, keepdim=True)).numpy()
    if values.dtype == np.bool_ and not _tells(name):
        bad, sense = values, "nonzero is bad"
    else:
        sense = "bad" if _tells(name) == "bad" else "good" if _tells(name) == "good" else ""
        if not sense:
            sense = "cxi" if cxi else choose_convention(values.astype(np.int64), frames, "auto", where)[0]
        bad = ~measured(values, sense)
        sense = {"cxi": "CXI bits, 0 is good", "good": "1 is good", "bad": "1 is bad"}.get(sense, sense)
    pixels, light = float(bad.mean()), _share(bad, frames)
    if pixels > _MOST and light > _NEARLY_ALL:
        told = f"{where} ({sense}) marks {pixels:.0%} of the pixels with {light:.0%} of the photons as bad"
        if named:
            raise UserError(f"{told}: its sense is inverted; write it with 0 where the detector measured")
        return torch.from_numpy(~bad), [Note.warning(f"{told}: its sense is inverted and was turned, 1 is good")]
    said = f"{where} is taken as mask, {sense}: {int(bad.sum())} of {bad.size} left out"
    notes = [] if _tells(name) == "bad" else [Note.of(said)]
    if light > _MOST:
        notes.append(Note.warning(f"{where} leaves out {light:.0%} of the photons: is its sense inverted?"))
    return torch.from_numpy(bad), notes


def _tells(name: str) -> str:
    """`bad` or `good` where the name says it."""
    lower = name.lower()
    if any(word in lower for word in ("bad", "invalid", "dead", "hot")):
        return "bad"
    return "good" if "good" in lower or "valid" in lower else ""


def _share(bad: NDArray[np.bool_], frames: NDArray[np.float32]) -> float:
    """Share of the photons in bad pixels."""
    total = float(frames.sum(dtype=np.float64))
    return float(np.where(bad, frames, 0).sum(dtype=np.float64)) / total if total else 0.0
