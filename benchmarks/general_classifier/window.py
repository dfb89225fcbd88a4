"""The middle of a detector at a common scale: what methods of few labels are given, and what contact sheets show."""

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from spi_lightning.api.patterns import as_patterns
from spi_lightning.io import PatternFile
from spi_lightning.physics.array import bin_pixels

CELLS: Final = 96  # along the edge of a window
PER_SPECKLE: Final = 6  # cells, where the pixels are that small
_PIXELS_AT_ONCE: Final = 1 << 24


def windows(
    patterns: PatternFile, beam: tuple[float, float], speckle: float, frames: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Whole bins of pixels around the beam, so wide that a speckle is about six.

    Args:
        patterns: Frames (N, H, W).
        beam: Row and column of the beam, pixel.
        speckle: Width of a speckle, pixel.
        frames: (n,) numbers of frames.

    Returns:
        (n, CELLS, CELLS) photons, scaled up where a cell is partly measured, and the mask, False beyond the frame.
    """
    bin, (height, width) = max(1, round(speckle / PER_SPECKLE)), patterns.shape[1:]
    half = bin * CELLS // 2
    top, left = (round(place + 0.5) - half for place in beam)
    rows, columns = slice(max(top, 0), min(top + 2 * half, height)), slice(max(left, 0), min(left + 2 * half, width))
    inside = (slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left))
    photons = np.zeros((len(frames), 1, 2 * half, 2 * half), dtype=np.float32)
    measured = np.zeros_like(photons, dtype=bool)
    photons[:, 0, inside[0], inside[1]] = patterns.read(frames)[:, rows, columns]
    measured[:, 0, inside[0], inside[1]] = patterns.read_mask(frames)[..., rows, columns]
    cells, good = bin_pixels(torch.from_numpy(photons), torch.from_numpy(measured), bin)
    return cells[:, 0].numpy(), good[:, 0].numpy().astype(bool)


def windowed(patterns: PatternFile, beam: tuple[float, float], speckle: float) -> PatternFile:
    """All frames as windows in memory, whole photons, with the labels of the file."""
    at_once = max(1, _PIXELS_AT_ONCE // int(np.prod(patterns.shape[1:])))
    parts = [
        windows(patterns, beam, speckle, np.arange(start, min(start + at_once, len(patterns))))
        for start in range(0, len(patterns), at_once)
    ]
    photons, mask = (np.concatenate([part[i] for part in parts]) for i in range(2))
    return as_patterns(np.rint(photons), mask).changed(labels=patterns.labels)
