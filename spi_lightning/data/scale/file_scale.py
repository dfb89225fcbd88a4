"""Scale of a file of patterns from its own hits: hit finder, beam centre, speckle width, and notes on each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.io.patterns.pattern_file import PatternFile
from spi_lightning.notes import Note
from spi_lightning.physics.array import cut_window
from spi_lightning.physics.frames.bad_pixels import suspect_pixels
from spi_lightning.physics.frames.beam_centre import find_beam_centre, find_centre_anywhere
from spi_lightning.physics.frames.frame_scale import (
    NARROWEST_TRIED,
    RINGS_RESOLVED,
    SPECKLE_CELLS,
    FrameScale,
    speckle_widths,
    usual_centre,
    usual_width,
)

from .file_hits import AT_ONCE, ENOUGH_HITS, FileHits, binned_place, find_file_hits, read_frames
from .scale_notes import SCALE, halo_notes, misplaced, summary, suspect_notes, width_notes
from .stated_centre import middle, stated_centre

_FINE: Final = 512  # pixels, edge of the square around the beam in which narrow speckles are measured
_RESOLVED: Final = 4  # binned pixels of a speckle that need no finer ones
_LEAST_WITH_RINGS: Final = 0.35  # share of hits with a width; fewer: their speckles may be narrower than rings show
_TRUSTED: Final = 0.2  # symmetry from which a found centre is accepted
_FEW: Final = 5  # hits whose own centres count
_SHIFT: Final = 0.06  # of the shorter edge, about the common centre, in which that of a frame is searched


def find_scale(
    patterns: PatternFile,
    speckle: float | None = None,
    beam_centre: Sequence[float] | None = None,
    hit_threshold: float = 5.0,
    device: torch.device | str = "cpu",
) -> tuple[FrameScale, list[Note]]:
    """Scale of a file's frames and notes on it, see find_scale_and_hits."""
    return find_scale_and_hits(patterns, speckle, beam_centre, hit_threshold, device)[:2]


def find_scale_and_hits(
    patterns: PatternFile,
    speckle: float | None = None,
    beam_centre: Sequence[float] | None = None,
    hit_threshold: float = 5.0,
    device: torch.device | str = "cpu",
) -> tuple[FrameScale, list[Note], NDArray[np.int64]]:
    """Scale of a file's frames, with notes on what was found and what contradicts it; memory does not grow with N.

    Args:
        patterns: File of N frames; not all are read where hits are frequent.
        speckle: Speckle width, pixel, if it is known; None: from the hits.
        beam_centre: Row and column of the beam, pixel, if known; None: as the file says, else from the hits.
        hit_threshold: Standard deviations above background from which a frame is a hit.
        device: Device of the computation.

    Returns:
        Scale, notes, and the numbers (n,) of the hits of the file that were looked at.

    Raises:
        UserError: A stated width or centre is impossible, or a frame cannot be read.
    """
    stated = stated_centre(patterns, beam_centre)
    if speckle is not None and not 0 < speckle < math.inf:
        raise UserError(f"preprocess.speckle={speckle} must be a positive number of pixels")
    hits = find_file_hits(patterns, stated, hit_threshold, device)
    if speckle is not None and beam_centre is not None:
        known = FrameScale((float(beam_centre[0]), float(beam_centre[1])), float(speckle))
        return replace(known, halo=hits.brightest_halo(known.beam_centre)), [], hits.frame
    if len(hits.frame) == 0:
        return *_without_hits(patterns, hits, speckle, stated), hits.frame
    scale, notes = _with_centre(patterns, hits, stated)
    if halo := hits.brightest_halo(scale.beam_centre):
        hits = hits.above(halo, scale.beam_centre)
        if len(hits.frame) < ENOUGH_HITS:
            hits = find_file_hits(patterns, scale.beam_centre, hit_threshold, device, halo=halo)
        if len(hits.frame) == 0:
            unknown, notes = _without_hits(patterns, hits, speckle, scale.beam_centre)
            return replace(unknown, halo=halo), notes, hits.frame
        scale, notes = _with_centre(patterns, hits, stated)
    scale, more = _with_width(patterns, hits, replace(scale, halo=halo), speckle, device)
    notes += [*more, *halo_notes(scale), *misplaced(scale, stated), *_suspects(patterns, hits)]
    return scale, [summary(scale), *notes], hits.frame


def find_centre(
    patterns: PatternFile, hit_threshold: float = 5.0, device: torch.device | str = "cpu"
) -> tuple[tuple[float, float], float] | None:
    """Beam centre that the first hits of a file agree on, and its spread over them, pixel; None where they do not.

    At least five hits must each be symmetric about a point of their own; at most 24 hits and 2 GiB are looked at.

    Args:
        patterns: File of N frames.
        hit_threshold: Standard deviations above background from which a frame is a hit.
        device: Device of the computation.
    """
    hits = find_file_hits(patterns, None, hit_threshold, device, ENOUGH_HITS, 0)
    centre, spread = (None, None) if len(hits.frame) < _FEW else _centre_of(hits, None)
    return None if centre is None or spread is None else (centre, spread)


def _with_centre(
    patterns: PatternFile, hits: FileHits, stated: tuple[float, float] | None
) -> tuple[FrameScale, list[Note]]:
    """Beam centre of the hits, or the stated one."""
    known = FrameScale(stated or middle(patterns.shape[1:]), math.nan, hits=len(hits.frame), frames=hits.frames)
    centre, spread = _centre_of(hits, stated)
    if centre is not None:
        return replace(known, beam_centre=centre, centre_from="symmetry", centre_spread=spread), []
    if stated is not None:
        return known, []
    line = "the hits are not symmetric about any point, so the beam is taken at the middle of the frames"
    note = Note.warning(f"{line}; state it with preprocess.beam_centre=[row,column]", SCALE)
    return replace(known, centre_from="middle"), [note]


def _centre_of(hits: FileHits, stated: tuple[float, float] | None) -> tuple[tuple[float, float] | None, float | None]:
    """Centre of symmetry of hits and its spread over them, in pixels of the file, see _symmetric_about."""
    centre, spread = _symmetric_about(hits, None if stated is None else binned_place(torch.tensor(stated), hits.bin))
    if centre is None:
        return None, None
    row, column = (round(float(at) * hits.bin + (hits.bin - 1) / 2, 3) for at in centre)
    return (row, column), None if spread is None else spread * hits.bin


def _symmetric_about(hits: FileHits, guess: Tensor | None) -> tuple[Tensor | None, float | None]:
    """Centre of symmetry (2,) of hits, binned pixels, and its spread over them; None where there is none.

    Faint hits are symmetric by chance alone; then that of their sum is taken, which has no spread.
    """
    summed = hits.photons.sum(0)[None]
    mask = hits.mask[None] if hits.mask.ndim == 2 else hits.mask.all(0)[None]
    if guess is None:
        anywhere = find_centre_anywhere(summed * mask, mask).centre[0]
        guess = anywhere if bool(anywhere.isfinite().all()) else None
    reach = 0.125 if guess is None else _SHIFT
    found = find_beam_centre(hits.photons, hits.mask, guess, max_shift=reach)
    clear = found.symmetry > _TRUSTED
    if int(clear.sum()) >= min(_FEW, len(clear)):
        return usual_centre(found.centre, torch.where(clear, found.symmetry, torch.nan))
    whole = find_beam_centre(summed * mask, mask, guess, max_shift=reach)
    return (whole.centre[0], None) if float(whole.symmetry[0]) > _TRUSTED else (None, None)


def _with_width(
    patterns: PatternFile, hits: FileHits, scale: FrameScale, stated: float | None, device: torch.device | str
) -> tuple[FrameScale, list[Note]]:
    """The scale with the speckle width of the hits, or the stated one."""
    if stated is not None:
        return replace(scale, speckle_width=float(stated)), []
    centre = binned_place(torch.tensor(scale.beam_centre), hits.bin)
    widths, quality = speckle_widths(hits.photons, hits.mask, centre, hits.background * hits.bin**2)
    usual = usual_width(widths * hits.bin, quality)
    if hits.bin > 1 and not usual.width >= _RESOLVED * hits.bin:
        widths, quality = _fine_widths(patterns, hits, scale.beam_centre, device)
        usual = usual_width(widths, quality)
    if float(widths.isfinite().double().mean()) < _LEAST_WITH_RINGS:
        usual = usual_width(*_fine_widths(patterns, hits, scale.beam_centre, device, NARROWEST_TRIED))
    if not math.isfinite(usual.width):
        line = "no hit shows rings, so the speckle width is unknown and cells are whole pixels"
        unknown = replace(scale, speckle_width=SPECKLE_CELLS, width_from="unknown")
        return unknown, [Note.warning(f"{line}; state it with preprocess.speckle=PIXELS", SCALE)]
    found = replace(scale, speckle_width=usual.width, width_from="sphere fit", width_spread=usual.spread)
    return found, width_notes(found, usual.second)


def _fine_widths(
    patterns: PatternFile,
    hits: FileHits,
    beam_centre: tuple[float, float],
    device: torch.device | str,
    narrowest: float = RINGS_RESOLVED,
) -> tuple[Tensor, Tensor]:
    """Widths and qualities of hits from unbinned pixels around the beam, which are read again."""
    edge = min(_FINE, 2 * max(patterns.shape[1:]))
    start = [round(at) - edge // 2 for at in beam_centre]
    inside = torch.tensor([at - first for at, first in zip(beam_centre, start, strict=True)])
    found, step = [], max(1, AT_ONCE // (4 * math.prod(patterns.shape[1:])))
    for begin in range(0, len(hits.frame), step):
        part = slice(begin, begin + step)
        whole = read_frames(patterns, hits.frame[part], device)
        photons, mask = (cut_window(image, start, (edge, edge)) for image in whole)
        found.append(torch.stack(speckle_widths(photons, mask, inside, hits.background[part], narrowest)))
    widths, quality = torch.cat(found, dim=1)
    return widths, quality


def _suspects(patterns: PatternFile, hits: FileHits) -> list[Note]:
    """Note on hot and dead pixels that the mask of a file lacks."""
    measured = torch.from_numpy(np.array(patterns.read_mask(hits.frame[:1])[0])).to(hits.total.device)
    return suspect_notes(*suspect_pixels(hits.total, hits.lit, measured, hits.frames))


def _without_hits(
    patterns: PatternFile, hits: FileHits, speckle: float | None, stated: tuple[float, float] | None
) -> tuple[FrameScale, list[Note]]:
    line = f"none of {hits.frames} frames is a hit: all are answered as blank, with probability 0"
    remedy = "if there should be hits, check mask, gain (data.adu_per_photon) and hits.threshold"
    centre, width = stated or middle(patterns.shape[1:]), speckle or SPECKLE_CELLS
    known = "stated" if stated else "middle", "stated" if speckle else "unknown"
    scale = FrameScale(centre, width, *known, frames=hits.frames)
    return scale, [Note.warning(f"{line}; {remedy}", SCALE)]
