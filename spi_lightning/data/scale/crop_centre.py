"""Centre of what methods take from frames, a crop or rings: the stated beam, or a note on the one that hits show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch

from spi_lightning.data.transforms import Preprocess
from spi_lightning.io.input_window import beam_setting, stated_beam
from spi_lightning.io.patterns.pattern_file import PatternFile
from spi_lightning.notes import Note

from .file_scale import find_centre
from .stated_centre import middle, stated_centre

_BEAM: Final = "beam centre"  # subject of the notes
_MIDDLE: Final = "the middle of the frames"
_SPREADS: Final = 3  # of the found centre over hits, that it must lie off besides a binned pixel


def follow_beam(
    preprocess: Preprocess,
    patterns: PatternFile,
    wished: Sequence[float] | None = None,
    trained: Sequence[float] | None = None,
    hit_threshold: float = 5.0,
    device: torch.device | str = "cpu",
) -> list[Note]:
    """Let the crop follow the beam of a file more than a binned pixel off the middle of its frames; notes on it.

    The centre is that of the user, else of the file, else of the training; where the hits are symmetric about another
    point than this or the middle, a note names the setting. What is only found is not followed.

    Args:
        preprocess: Preprocessing, whose beam_centre is set.
        patterns: File of N frames, of which some are read.
        wished: Row and column that the user states for this file, pixel; None: not stated.
        trained: Row and column that the training stated, pixel, used where the file states none.
        hit_threshold: Standard deviations above background from which a frame is a hit.
        device: Device of the computation.

    Raises:
        UserError: The centre of the user is no point of the frames, or a frame cannot be read.
    """
    preprocess.beam_centre = None
    if wished is not None:
        preprocess.beam_centre = stated_centre(patterns, wished)
        return []
    used, whose, notes = middle(patterns.shape[1:]), _MIDDLE, list[Note]()
    stated = stated_centre(patterns, None)
    centre, source = (trained, "training") if stated is None else (stated, "file")
    if centre is not None and _off(centre, used) > preprocess.bin:
        where = f"the beam that the {source} states, {_point(centre)}, is {_off(centre, used):.1f} pixels off {whose}"
        if preprocess.crop is None:
            line = f"{where}, where the network expects it: {_remedy(preprocess, patterns, centre)}"
            return [Note.warning(line, _BEAM)]
        preprocess.beam_centre = stated_centre(patterns, centre) if source == "training" else centre
        notes.append(Note.hint(f"{where}, and the crop follows it; {beam_setting(used)} keeps the middle", _BEAM))
        used, whose = (centre[0], centre[1]), f"the beam that the {source} states"
    found = find_centre(patterns, hit_threshold, device)
    if found is not None and _off(found[0], used) > preprocess.bin + _SPREADS * found[1]:
        line = f"{_elsewhere(found[0], used, whose)}, where the network expects the beam: "
        notes.append(Note.warning(line + _remedy(preprocess, patterns, found[0]), _BEAM))
    return notes


def beam_off_middle(
    patterns: PatternFile, hit_threshold: float = 5.0, device: torch.device | str = "cpu"
) -> tuple[tuple[float, float] | None, list[Note]]:
    """Beam that a file states more than a pixel off the middle of its frames, else None; and notes on it.

    Where the hits are symmetric about another point than the centre in use, a note names the setting.

    Args:
        patterns: File of N frames, of which some are read.
        hit_threshold: Standard deviations above background from which a frame is a hit.
        device: Device of the computation.
    """
    used, whose, notes = middle(patterns.shape[1:]), _MIDDLE, list[Note]()
    stated = stated_beam(patterns)
    centre = stated if stated is not None and _off(stated, used) > 1 else None
    if centre is not None:
        where = f"the stated beam, {_point(centre)}, is {_off(centre, used):.1f} pixels off {whose}"
        notes.append(Note.of(f"{where}; rings and crops are taken about it", _BEAM))
        used, whose = centre, "the stated beam"
    found = find_centre(patterns, hit_threshold, device)
    if found is not None and _off(found[0], used) > 1 + _SPREADS * found[1]:
        line = f"{_elsewhere(found[0], used, whose)}, about which rings are taken: set {beam_setting(found[0])}"
        notes.append(Note.warning(line, _BEAM))
    return centre, notes


def _elsewhere(found: Sequence[float], used: Sequence[float], whose: str) -> str:
    return f"the hits are symmetric about {_point(found)}, {_off(found, used):.1f} pixels off {whose}"


def _remedy(preprocess: Preprocess, patterns: PatternFile, centre: Sequence[float]) -> str:
    """Settings with which a crop follows a centre; without one, the largest square that the bin divides."""
    edge = min(patterns.shape[1:]) // preprocess.bin * preprocess.bin
    crop = f"preprocess.crop={edge} " if preprocess.crop is None else ""
    return f"set {crop}{beam_setting(centre)}"


def _off(one: Sequence[float], other: Sequence[float]) -> float:
    """Distance of two points along the axis where it is larger, pixel."""
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


def _point(centre: Sequence[float]) -> str:
    return f"row {centre[0]:.1f}, column {centre[1]:.1f}"
