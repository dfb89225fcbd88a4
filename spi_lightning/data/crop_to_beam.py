"""Crop of a frame to a square around the beam: beam centre, edge of the square, and notes on both."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.notes import Note
from spi_lightning.physics.array import cut_around
from spi_lightning.physics.frames.beam_centre import find_beam_centre, find_centre_anywhere, symmetry_about

CENTRE: Final = "beam centre"  # subject of the note that a stated centre is not that of the pattern
_OFF: Final = 0.75  # pixels between a stated and a found centre from which they are noted
_MIDDLE: Final = 0.3  # pixels from n // 2 within which a centre is taken to be there, so that no row is cut off
_TRUSTED: Final = 0.3  # symmetry from which a found centre is accepted
_CLEAR: Final = 0.8  # symmetry near a centre from which no other one is searched
_CHANCE: Final = 6  # standard deviations of Fisher's z by which one symmetry exceeds another beyond chance
_LEAST_LIT: Final = 100  # pixels with photons of a pattern whose symmetry is compared
_ALONE: Final = 0.6  # symmetry from which a centre elsewhere is accepted if that of the stated one cannot be measured
_ONE: Final = 0.9999  # largest symmetry that counts


def choose_centre(
    photons: Tensor, mask: Tensor, stated: NDArray[np.float64] | None, by_user: bool, notes: list[Note]
) -> tuple[float, float]:
    """Row and column where the beam meets the detector, pixel; notes what was found, and what contradicts ``stated``.

    Args:
        photons: (1, H, W) intensities of one frame.
        mask: (1, H, W) bool, True where measured.
        stated: (2,) row and column as the user or the file has them, pixel; None: found by symmetry.
        by_user: Whether the user stated them.
        notes: List to which notes are appended.
    """
    (row, column), symmetry = _symmetric_about(photons, mask, stated)
    if stated is None:
        if not symmetry > _TRUSTED:
            why = (
                f"the pattern is hardly symmetric about any point ({symmetry:.2f})"
                if np.isfinite(symmetry)
                else "too few pairs of opposite pixels measured something"
            )
            notes.append(
                Note.warning(
                    f"{why}; the beam centre "
                    f"({row:.2f}, {column:.2f}) may be wrong: state it with data.beam_centre=[row,column]"
                )
            )
        else:
            notes.append(
                Note.of(f"beam centre found by symmetry: row {row:.2f}, column {column:.2f} ({symmetry:.2f} of 1)")
            )
        return row, column
    where = "data.beam_centre puts the beam" if by_user else "the file puts the beam"
    notes += _contradiction(photons, mask, stated, (row, column), symmetry, where)
    return float(stated[0]), float(stated[1])


def notes_of_the_origin(photons: Tensor, mask: Tensor) -> list[Note]:
    """Note on a pattern (H, W) whose beam is taken at pixel n // 2 and that is symmetric about another; else none."""
    photons, mask, stated = photons[None], mask[None], np.array([n // 2 for n in photons.shape], dtype=np.float64)
    centre, symmetry = _symmetric_about(photons, mask, stated)
    return _contradiction(photons, mask, stated, centre, symmetry, "the beam is taken", "phase(photons, beam_centre=")


def _contradiction(
    photons: Tensor,
    mask: Tensor,
    stated: NDArray[np.float64],
    centre: tuple[float, float],
    symmetry: float,
    where: str,
    remedy: str = "data.beam_centre=",
) -> list[Note]:
    """Note on a stated centre beside which the pattern is symmetric beyond chance; none where they agree."""
    (row, column), off = centre, float(np.hypot(centre[0] - stated[0], centre[1] - stated[1]))
    if not (symmetry > _TRUSTED and off > _OFF):
        return []
    if not _clearly_above(symmetry, symmetry_about(photons[0], mask[0], torch.from_numpy(stated), _OFF), photons):
        return []
    line = (
        f"{where} at row {stated[0]:.2f}, column {stated[1]:.2f}; the pattern is symmetric about row {row:.2f}, column "
        f"{column:.2f}, {off:.1f} pixels away: set {remedy}[{row:.2f},{column:.2f}]{')' * remedy.count('(')}"
    )
    return [Note.warning(line, CENTRE)]


def _symmetric_about(
    photons: Tensor, mask: Tensor, stated: NDArray[np.float64] | None
) -> tuple[tuple[float, float], float]:
    """Point about which a pattern is symmetric, near the stated one or the middle, or where it clearly is elsewhere."""
    found = find_beam_centre(photons, mask, None if stated is None else torch.from_numpy(stated))
    near = float(found.symmetry[0])
    if not near > _CLEAR:
        anywhere = find_centre_anywhere(photons, mask)
        if float(anywhere.symmetry[0]) > _TRUSTED and _clearly_above(float(anywhere.symmetry[0]), near, photons):
            found = anywhere
    row, column = (float(value) for value in found.centre[0])
    return (row, column), float(found.symmetry[0])


def _clearly_above(symmetry: float, other: float, photons: Tensor) -> bool:
    """Whether one correlation exceeds another (NaN: not measured) beyond chance, for as many pixels as hold photons."""
    lit = int((photons > 0).sum())
    if lit < _LEAST_LIT or (not np.isfinite(other) and symmetry < _ALONE):
        return False
    difference = np.arctanh(min(symmetry, _ONE)) - np.arctanh(min(max(np.nan_to_num(other), 0.0), _ONE))
    return bool(difference > _CHANCE * np.sqrt(2 / lit))


def edge_around(shape: torch.Size, centre: tuple[float, float], crop: int | None, bin: int) -> int:
    """Edge of the square to keep, pixels: ``crop``, or twice the distance from the beam to the nearest edge."""
    if bin < 1:
        raise UserError(f"data.bin={bin} must be 1 or more")
    if crop is not None:
        if crop < 8 or crop % bin:
            raise UserError(f"data.crop={crop} must be 8 or more and a multiple of data.bin={bin}")
        return crop
    if all(abs(at - length // 2) <= _MIDDLE for at, length in zip(centre, shape, strict=True)):
        centre = (shape[0] // 2, shape[1] // 2)
    near = min(min(at + 0.5, length - 0.5 - at) for at, length in zip(centre, shape, strict=True))
    edge = 2 * round(near)  # half a pixel beyond the detector is better than losing a row of a whole one
    if edge < 8 * bin:
        raise UserError(
            f"the beam centre, row {centre[0]:.1f}, column {centre[1]:.1f}, leaves no square of 8 binned pixels on a "
            f"detector of {shape[0]} x {shape[1]}; set data.beam_centre and data.crop"
        )
    return edge // (2 * bin) * (2 * bin)


def notes_of_the_cut(shape: torch.Size, centre: tuple[float, float], edge: int) -> list[Note]:
    """Note on a square that is not the whole frame; edge in pixels."""
    if shape == (edge, edge):
        return []
    kept = f"kept {edge} x {edge} of {shape[0]} x {shape[1]} pixels around row {centre[0]:.2f}, column {centre[1]:.2f}"
    out = any(at < edge / 2 - 1 or at + edge / 2 > n + 1 for at, n in zip(centre, shape, strict=True))
    beyond = "; what lies beyond the detector counts as not measured" if out else ""
    return [Note.of(f"{kept}{beyond} (data.crop=)")]


def cut_around_beam(
    photons: Tensor, mask: Tensor, centre: tuple[float, float], edge: int, bin: int, notes: list[Note]
) -> tuple[Tensor, Tensor, tuple[float, float]]:
    """(1, H, W) -> (1, edge, edge) so that after binning the beam lies nearest to the middle of pixel n // 2.

    The third result is the offset of the beam from it, (row, column), binned pixels.
    """
    inside = edge // bin // 2 * bin + (bin - 1) / 2  # position of that middle before binning
    starts = [round(at - inside) for at in centre]
    left = [at - start - inside for at, start in zip(centre, starts, strict=True)]
    if max(map(abs, left)) > 0.05:
        shift = ", ".join(f"{value / bin:+.2f}" for value in left)
        notes.append(Note.of(f"the beam lies ({shift}) binned pixels beside the middle of a pixel (row, column)"))
    pixel = [start + edge // 2 for start in starts]
    cut, kept = (cut_around(image[0], pixel, (edge, edge))[None] for image in (photons, mask))
    return cut, kept, (left[0] / bin, left[1] / bin)


def notes_of_the_centre(photons: Tensor, mask: Tensor, bright: float) -> list[Note]:
    """Notes on a centre n // 2 of photons (H, W) that is not measured, or is masked as measured but empty."""
    rows, columns = (torch.arange(n, device=mask.device) - n // 2 for n in mask.shape)
    radius = (rows[:, None].square() + columns.square()).sqrt()
    hidden = float(radius[mask].min())
    lit = float(radius[photons > 0].min())
    notes = []
    if hidden >= 2:
        longest = min(mask.shape) / hidden
        notes.append(
            Note.of(
                f"not measured within {hidden:.0f} binned pixels of the beam: what varies over more than {longest:.0f}"
                " pixels of the density is not known, and the support has to supply it"
            )
        )
    if lit - hidden >= 2 and float(photons[radius < 2 * lit + 1].max()) >= bright:
        notes.append(
            Note.warning(
                f"no photons within {lit:.0f} binned pixels of the beam, but the mask calls them measured;"
                " behind a beamstop? mark it with data.keys.mask"
            )
        )
    return notes
