"""Bin and crop that bring the patterns of a detector to the size of a network, by the width of their fringes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from spi_lightning.errors import UserError
from spi_lightning.fields import BEAM_CENTRE, IS_SINGLE_HIT
from spi_lightning.physics.array import bin_to, evenly
from spi_lightning.physics.frames.beam_centre import find_beam_centre
from spi_lightning.physics.frames.frame_scale import speckle_widths, usual_centre

from .patterns.pattern_file import PatternFile

USUAL_SIZE: Final = 64  # pixel, edge of the input that the hit classifiers of this package are trained on
_A_FRINGE: Final = 3  # binned pixels that a fringe keeps, as fit_sphere needs
_FRAMES: Final = 24
_AT_ONCE: Final = 8
_LARGEST: Final = 512  # pixel, edge beyond which frames are binned for the fit
_QUALITY: Final = 0.9  # of a fit of a sphere from which its fringes count
_LEAST: Final = 3  # frames whose fringes count
_VAGUE: Final = 3.0  # pixel, spread of their centres from which these do not count


@dataclass(frozen=True)
class InputWindow:
    """Square of a pattern, binned to the input of a network.

    Attributes:
        bin: Edge of the squares of pixels that are summed.
        crop: Edge of the square that is kept before, pixel.
        beam_centre: Row and column that the square is taken around, pixel; None: the middle.
    """

    bin: int
    crop: int
    beam_centre: tuple[float, float] | None = None

    def __str__(self) -> str:
        beam = "" if self.beam_centre is None else f" {beam_setting(self.beam_centre)}"
        return f"preprocess.bin={self.bin} preprocess.crop={self.crop}{beam}"


def beam_setting(centre: Sequence[float]) -> str:
    """Word of a command that states a beam centre, row and column, to a tenth of a pixel."""
    row, column = (round(at, 1) for at in centre)
    return f"preprocess.beam_centre=[{row:g},{column:g}]"


def input_window(shape: Sequence[int], size: int, fringe: float | None = None) -> InputWindow | None:
    """Largest window that keeps three binned pixels a fringe; None where a pattern is smaller than the input.

    Args:
        shape: Height and width of a pattern, pixel.
        size: Edge of the network's input, pixel.
        fringe: Width of a fringe, pixel; None: not known, and the window is as large as the pattern allows.
    """
    largest = min(shape) // size
    if largest < 1:
        return None
    bin = largest if fringe is None else max(1, min(largest, int(fringe / _A_FRINGE)))
    return InputWindow(bin, size * bin)


def window_line(file: PatternFile, size: int) -> str:
    """Settings that bring a file's patterns to a network's input with their reason; empty for smaller patterns.

    Args:
        file: File of patterns, of which some frames are read.
        size: Edge of the network's input, pixel.
    """
    fringe, centre = usual_sphere(file)
    window = input_window(file.shape[1:], size, fringe)
    if window is not None and centre is not None:
        off = max(abs(at - (n - 1) / 2) for at, n in zip(centre, file.shape[1:], strict=True))
        window = replace(window, beam_centre=centre) if off > window.bin else window
    if window is None or fringe is None:
        return "" if window is None else f"{window} (the largest square)"
    return f"{window} (fringes of {fringe:.3g} pixels, {fringe / window.bin:.2g} after binning)"


def size_refusal(
    file: PatternFile, network: str, size: int | None, window: tuple[int | None, int], smaller: str
) -> UserError:
    """Error for patterns that are no input of a network, which names the bin and crop that make them one.

    Args:
        file: File of patterns, of which some frames are read.
        network: Name of the network in words.
        size: Edge of the network's input, pixel; None: any that is divided by the bin.
        window: Crop, None for none, and bin in use.
        smaller: Remedy in words for patterns that are smaller than the input.
    """
    crop, bin = window
    line = window_line(file, size or USUAL_SIZE)
    wanted = f"the {size} x {size} pixels" if size else "an input"
    return UserError(
        f"{file.path}: patterns of {file.shape[1]} x {file.shape[2]} pixels do not become {wanted} of {network} by "
        f"preprocess.bin={bin} preprocess.crop={'null' if crop is None else crop}: {f'set {line}' if line else smaller}"
    )


def stated_beam(file: PatternFile) -> tuple[float, float] | None:
    """Row and column of the beam as a file states it, pixel, the median over its frames; None where it does not."""
    stored = np.asarray(file.geometry.get(BEAM_CENTRE, np.nan), dtype=np.float64).reshape(-1)
    if len(stored) < 2 or not np.isfinite(stored).any():
        return None
    row, column = np.nanmedian(stored.reshape(-1, 2), axis=0)
    return float(row), float(column)


def usual_sphere(file: PatternFile) -> tuple[float | None, tuple[float, float] | None]:
    """Width of a fringe, wavelength times distance over diameter, and row and column of the beam, pixel.

    They are medians over frames that a sphere fits, with no geometry needed: those labelled single hits, else all. None
    where fewer than three frames show one, and for a beam about which these disagree; a stated beam comes first.

    Args:
        file: File of patterns, of which 24 are read; the width is None too where they are no photons.
    """
    widths, centres = _spheres(file)
    if len(widths) < _LEAST:
        return None, stated_beam(file)
    centre, spread = usual_centre(torch.from_numpy(centres), torch.ones(len(centres)))
    found = None if spread > _VAGUE else (float(centre[0]), float(centre[1]))
    return float(np.median(widths)), stated_beam(file) or found


def _spheres(file: PatternFile) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fringe widths (n,) and centres (n, 2) of up to 24 frames that a sphere fits, pixel."""
    frames = np.arange(len(file))
    if IS_SINGLE_HIT in file.labels and (np.asarray(file.labels[IS_SINGLE_HIT]) == 1).sum() >= _LEAST:
        frames = np.flatnonzero(np.asarray(file.labels[IS_SINGLE_HIT]) == 1)
    frames = frames[evenly(len(frames), _FRAMES)]
    try:
        pieces = [_fitted(file, frames[at : at + _AT_ONCE]) for at in range(0, len(frames), _AT_ONCE)]
    except UserError:  # no photons
        return np.empty(0), np.empty((0, 2))
    widths, centres = (np.concatenate(part) for part in zip(*pieces, strict=True))
    return widths[np.isfinite(widths)], centres[np.isfinite(widths)]


def _fitted(file: PatternFile, frames: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fringe widths (n,), NaN where no sphere fits, and centres (n, 2) of frames, pixel."""
    photons, mask = torch.from_numpy(file.read(frames)), torch.from_numpy(np.array(file.read_mask(frames)))
    bin = -(-min(photons.shape[-2:]) // _LARGEST)
    photons, mask = bin_to(photons, mask, bin)
    stated = torch.from_numpy(np.array(file.geometry.get(BEAM_CENTRE, np.nan), dtype=np.float64))
    guess = (stated - (bin - 1) / 2) / bin if stated.shape == (2,) and stated.isfinite().all() else None
    centre = find_beam_centre(photons, mask, guess).centre
    widths, quality = speckle_widths(photons, mask, centre)
    widths = torch.where(quality >= _QUALITY, bin * widths, torch.nan)
    return widths.double().numpy(), (centre * bin + (bin - 1) / 2).double().numpy()
