"""Intensities for support finding and phasing: photon counts, or values in any other unit."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from spi_lightning.errors import UserError
from spi_lightning.physics.frames.adu import adu_to_photons

from .pattern_file import PatternFile
from .photons import WHOLE_WITHIN

_EXACT: Final = 1e4  # squares of float32 up to here are exact enough to test for whole numbers
_ROUNDING: Final = 1e-6  # share of a frame's largest value; smaller negative values are rounding errors


@dataclass(frozen=True)
class Intensities:
    """Intensities of n frames of a file.

    Attributes:
        values: (n, H, W) float32, 0 or more, 0 where the mask is False; whole numbers where they are photons.
        mask: (n, H, W) bool, True = measured: the mask of the file without pixels that are NaN or infinite.
        broken: (n,) number of NaN and infinite pixels inside the mask of the file.
        counted: (n,) bool, whether the values are photon counts.
    """

    values: NDArray[np.float32]
    mask: NDArray[np.bool_]
    broken: NDArray[np.int64]
    counted: NDArray[np.bool_]


def read_intensities(patterns: PatternFile, indices: ArrayLike) -> Intensities:
    """Read frames that need not be photon counts, such as noise-free simulations.

    Args:
        patterns: Patterns (N, H, W) opened by open_patterns(check=False).
        indices: (n,) frame numbers; no other frame is read.

    Raises:
        UserError: Negative values in a file without adu_per_photon, with the frame and the pixel.
    """
    index = patterns.check_indices(indices)
    values, mask = patterns.read_stored(index), patterns.read_mask(index)
    broken = np.zeros(len(index), dtype=np.int64)
    if values.size and not (np.isfinite(values.min()) and np.isfinite(values.max())):  # NaN spreads to both
        wrong = ~np.isfinite(values)
        broken, mask = wrong.sum(axis=(1, 2)), mask & ~wrong
        values[wrong] = 0
    counted = np.zeros(len(index), dtype=bool)
    for row, (file, frame) in enumerate(patterns.origin(index)):
        values[row], counted[row] = _in_photons(values[row], file.adu_per_photon, f"{file.path}: frame {frame}")
    return Intensities(values, mask, broken, counted)


def is_counted(frame: NDArray[np.float32]) -> bool:
    """Whether one frame (H, W), 0 or more everywhere, holds whole numbers that are not all 0."""
    counts = np.rint(frame)
    return bool(counts.any()) and float(np.abs(frame - counts).max()) <= WHOLE_WITHIN


def are_amplitudes(values: NDArray[np.float32]) -> bool:
    """Whether finite values (n,), 0 or more, are square roots of whole numbers and not all whole themselves."""
    if len(values) == 0 or np.abs(values - np.rint(values)).max() <= WHOLE_WITHIN:
        return False
    squares = values.astype(np.float64) ** 2
    off = np.abs(squares - np.rint(squares))
    below = squares < _EXACT
    roots = below & (squares > 1.5) & (np.abs(values - np.rint(values)) > WHOLE_WITHIN)  # as sqrt(2)
    return bool(roots.any() and off[below].max() <= WHOLE_WITHIN)


def require_no_amplitudes(values: NDArray[np.float32], where: str) -> None:
    """Raise UserError for finite values (n,), 0 or more, that are amplitudes instead of intensities."""
    if are_amplitudes(values):
        raise UserError(
            f"{where}: the values are amplitudes, square roots of whole numbers, not photon counts; square them"
        )


def _in_photons(
    frame: NDArray[np.float32], adu_per_photon: float | None, name: str
) -> tuple[NDArray[np.float32], bool]:
    """Photons of a frame (H, W), and whether they are counts.

    Without a gain they are the values of the frame, counts rounded, negative ones refused.
    """
    if adu_per_photon is not None:
        photons: NDArray[np.float32] = adu_to_photons(torch.from_numpy(frame), adu_per_photon).numpy()
        return photons, bool(photons.any())
    below = frame < -_ROUNDING * max(float(frame.max(initial=0)), 0.0)
    if below.any():
        row, column = np.argwhere(below)[0]
        raise UserError(
            f"{name}: {int(below.sum())} pixels are negative, the first is ({row}, {column}) = "
            f"{frame[row, column]:.4g}; mask them or subtract less background; for detector units give "
            "data.adu_per_photon="
        )
    made = np.maximum(frame, 0)
    counted = is_counted(made)
    return np.abs(np.rint(made)) if counted else made, counted
