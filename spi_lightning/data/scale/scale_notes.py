"""Notes on the scale of a file: what was found, what contradicts it, and what to do."""

from __future__ import annotations

import math
from typing import Final

from torch import Tensor

from spi_lightning.notes import Note
from spi_lightning.physics.frames.frame_scale import NARROWEST, FrameScale
from spi_lightning.printable import listed

SCALE: Final = "scale"  # subject of the notes
_OFF: Final = 0.5  # speckles between a stated centre and that of the hits from which it is noted
_LINE: Final = 0.5  # share of a row or column that is bad, from which it is named as a whole
_FEW: Final = 8  # hits
_VAGUE: Final = 0.3  # relative spread of the widths


def width_notes(scale: FrameScale, second: float | None) -> list[Note]:
    """Notes on a width that is too small, vague, or one of two."""
    width, notes = scale.speckle_width, []
    if width < NARROWEST:
        line = (
            f"a speckle is {width:.2g} pixels wide, below {NARROWEST:g}: the particles are too large for the sampling"
        )
        notes.append(Note.warning(f"{line}, and whether a hit is single cannot be seen", SCALE))
    if second is not None:
        line = f"two sizes of particles: speckles of {width:.3g} and of {second:.3g} pixels; the first is the usual one"
        notes.append(Note.warning(f"{line}, preprocess.speckle={second:.3g} takes the other", SCALE))
    if scale.hits < _FEW or (scale.width_spread or 0) > _VAGUE:
        line = f"the speckle width, {width:.3g} pixels, comes from {scale.hits} hits and is uncertain"
        notes.append(Note.hint(f"{line}: state it with preprocess.speckle=PIXELS if you know it", SCALE))
    return notes


def halo_notes(scale: FrameScale) -> list[Note]:
    """Note on blank frames with a halo around the beam."""
    if not scale.halo:
        return []
    line = f"blank frames have a halo around the beam; frames of up to {scale.halo:.0f} photons near it are blank"
    return [Note.of(line, SCALE)]


def suspect_notes(hot: Tensor, dead: Tensor) -> list[Note]:
    """Note that proposes to mask pixels, (H, W) bool, which are used as they are."""
    found = [f"{int(pixels.sum())} {name} ({_places(pixels)})" for name, pixels in (("hot", hot), ("dead", dead))
             if bool(pixels.any())]  # fmt: skip
    if not found:
        return []
    line = f"pixels that count as measured look {' and '.join(found)}"
    return [Note.warning(f"{line}: they are used; mask them by data.keys.mask=FILE.npy", "mask")]


def _places(pixels: Tensor) -> str:
    """Whole lines and the first single pixels among bad ones, (H, W) bool, in words."""
    rows, columns = pixels.float().mean(1) > _LINE, pixels.float().mean(0) > _LINE
    words = [
        f"{name} {listed(lines.nonzero()[:, 0].tolist(), 8)}"
        for name, lines in (("rows", rows), ("columns", columns))
        if bool(lines.any())
    ]
    single = (pixels & ~rows[:, None] & ~columns[None, :]).nonzero().tolist()
    points = ", ".join(f"[{row},{column}]" for row, column in single[:8])
    more = f" and {len(single) - 8} more" if len(single) > 8 else ""
    return "; ".join([*words, *([f"row and column {points}{more}"] if single else [])])


def misplaced(scale: FrameScale, stated: tuple[float, float] | None) -> list[Note]:
    """Note on a stated beam centre that the hits are not symmetric about."""
    if stated is None or scale.centre_from == "stated":
        return []
    off = math.hypot(*(one - other for one, other in zip(scale.beam_centre, stated, strict=True)))
    if off < max(_OFF * scale.speckle_width, 1.0):
        return []
    row, column = scale.beam_centre
    line = f"the beam is stated at row {stated[0]:.2f}, column {stated[1]:.2f}, and {scale.hits} hits are symmetric"
    where = f"about row {row:.2f}, column {column:.2f}, {off:.1f} pixels away"
    return [Note.warning(f"{line} {where}: set preprocess.beam_centre=[{row:.2f},{column:.2f}]", SCALE)]


def summary(scale: FrameScale) -> Note:
    """One line on a scale."""
    row, column = scale.beam_centre
    cells = f"{scale.bin} x {scale.bin} pixels" if scale.bin else f"{scale.cell:.3g} pixels"
    spread = "" if scale.width_spread is None else f" +- {100 * scale.width_spread:.0f} %"
    found = f"speckles of {scale.speckle_width:.3g} pixels{spread} ({scale.width_from})"
    beam = f"beam at row {row:.2f}, column {column:.2f} ({scale.centre_from})"
    return Note.of(f"{found}, {beam}, from {scale.hits} hits of {scale.frames} frames; cells of {cells}", SCALE)
