"""Bad pixels of a rocking scan from the masks beside its counts."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.io.masks.convention import choose_convention, convention_of_name, excluded_shares, measured
from spi_lightning.notes import Note

_MAX_EXCLUDED: Final = 0.5  # share of the pixels, above which the convention of a mask is checked
_NEARLY_ALL: Final = 0.9  # share of the photons, above which it is then inverted
_BAD_BITS: Final = 0x7FFFFFFF  # bits of NeXus's pixel_mask without the last, which marks interpolated pixels


def bad_of_mask(values: NDArray[Any], counts: Tensor, where: str, cxi: bool, named: bool) -> tuple[Tensor, list[Note]]:
    """Pixels or voxels that a mask excludes, with notes on its convention.

    A mask that excludes most of the pixels with nearly all of the photons has the opposite sense: it is inverted with a
    warning, or refused if the user named it.

    Args:
        values: Mask as stored, (rows, columns) or (frames, rows, columns).
        counts: (frames, rows, columns), NaN where not measured, infinite where saturated.
        where: File and data set; the name may state the convention.
        cxi: Whether the mask has a path of CXI, and so holds bits.
        named: Whether the user named the mask.

    Returns:
        Bool of the shape of the mask, True = bad, and notes.

    Raises:
        UserError: Values that are not whole numbers, an inverted mask that was named, or an undecidable convention.
    """
    stated = convention_of_name(where.rpartition("/")[2])
    if values.dtype.kind == "f" and not (np.isfinite(values).all() and (values == np.rint(values)).all()):
        raise UserError(f"{where}: mask values must be whole numbers, not weights or NaN; correct the mask")
    if where.rpartition("/")[2] == "pixel_mask":
        values = (values.astype(np.int64) & _BAD_BITS) != 0
        where = f"{where} (NeXus bits, bad where one is set)"
    elif named and not cxi and not stated:
        values = values != 0  # data.keys.bad_pixels: nonzero is bad
    photons = torch.nan_to_num(counts, nan=0.0, posinf=0.0, neginf=0.0).clamp_min(0)
    frames = (photons if values.ndim == 3 else photons.sum(0, keepdim=True)).numpy()
    if values.dtype == np.bool_ and not stated:
        bad, meaning = values, "nonzero is bad"
    else:
        chosen = stated or ("cxi" if cxi else choose_convention(values.astype(np.int64), frames, "auto", where)[0])
        bad = ~measured(values, chosen)
        meaning = {"cxi": "CXI bits, 0 is good", "good": "1 is good", "bad": "1 is bad"}.get(chosen, chosen)
    pixels, light = excluded_shares(~bad, frames)
    if pixels > _MAX_EXCLUDED and light > _NEARLY_ALL:
        text = f"{where} ({meaning}) marks {pixels:.0%} of the pixels with {light:.0%} of the photons as bad"
        if named:
            raise UserError(f"{text}: its sense is inverted; write it with 0 where the detector measured")
        return torch.from_numpy(~bad), [Note.warning(f"{text}: its sense was inverted, 1 is good")]
    text = f"{where} is taken as mask, {meaning}: {int(bad.sum())} of {bad.size} left out"
    notes = [] if stated == "bad" else [Note.of(text)]
    if light > _MAX_EXCLUDED:
        notes.append(Note.warning(f"{where} leaves out {light:.0%} of the photons: is its sense inverted?"))
    return torch.from_numpy(bad), notes
