"""Check that values are photon counts, and conversion of detector units (ADU) to photons."""

from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from spi_lightning.errors import UserError
from spi_lightning.physics.frames.adu import adu_to_photons
from spi_lightning.physics.frames.sentinels import LIMIT

WHOLE_WITHIN: Final = 0.01
BROKEN_PIXELS: Final = 0.001  # share of a frame in detector units that may be NaN or infinite


def convert_adu(
    frames: NDArray[np.float32], adu_per_photon: float, index: NDArray[np.int64], path: Path
) -> NDArray[np.float32]:
    """Convert detector units to photons by adu_to_photons; single broken pixels become 0.

    Args:
        frames: (n, H, W) pedestal-corrected values, ADU, 0 where not measured; changed in place.
        adu_per_photon: Gain, ADU per photon.
        index: (n,) frame numbers for the message.
        path: File for the message.

    Returns:
        (n, H, W) float32 photons.

    Raises:
        UserError: More than BROKEN_PIXELS of a frame are NaN or infinite.
    """
    broken = ~np.isfinite(frames)
    if broken.any():
        too_many = broken.mean(axis=(1, 2)) > BROKEN_PIXELS
        if too_many.any():
            hint = "is not a number, like many others of the frame; mask them or leave out the frame"
            raise _error(broken & too_many[:, None, None], frames, index, path, hint)
        frames[broken] = 0
    photons: NDArray[np.float32] = adu_to_photons(torch.from_numpy(frames), adu_per_photon).numpy()
    return photons


def check_photons(
    frames: NDArray[np.float32], index: NDArray[np.int64], path: Path, stored: np.dtype[Any]
) -> NDArray[np.float32]:
    """Refuse values that are not photon counts; return the counts, rounded if stored as floats.

    Args:
        frames: (n, H, W) values, 0 where not measured.
        index: (n,) frame numbers for the message.
        path: File for the message.
        stored: Number type in the file; unsigned integers of 8 and 16 bits need no check.

    Raises:
        UserError: NaN, infinite, negative or (by more than 0.01) fractional values, or more than a pixel can count.
    """
    if frames.size == 0 or stored.kind == "b" or (stored.kind == "u" and stored.itemsize < 4):
        return frames
    lowest, highest = frames.min(), frames.max()  # NaN spreads to both
    if np.isfinite(highest) and highest >= LIMIT:
        hint = "is not a possible number of photons; mask the pixel (data.keys.mask=) or leave out the frame"
        raise _error(frames >= LIMIT, frames, index, path, hint)
    if stored.kind == "u":
        return frames
    if not (np.isfinite(lowest) and np.isfinite(highest)):
        hint = "is not a number; mask the pixel, leave out the frame or, for detector units, give data.adu_per_photon="
        raise _error(~np.isfinite(frames), frames, index, path, hint)
    if lowest < -WHOLE_WITHIN:
        marks = stored.kind == "i" and lowest >= -2
        hint = (
            "is negative: detectors mark pixels that did not measure by -1 and -2; mask them (data.keys.mask=)"
            if marks
            else "is negative, so the values are not photon counts; for detector units give data.adu_per_photon="
        )
        raise _error(frames < -WHOLE_WITHIN, frames, index, path, hint)
    if stored.kind == "i":
        return frames
    counts = np.rint(frames)
    if np.abs(frames - counts).max() > WHOLE_WITHIN:
        hint = "is not a whole number of photons; for detector units give data.adu_per_photon= (describe estimates it)"
        raise _error(np.abs(frames - counts) > WHOLE_WITHIN, frames, index, path, hint)
    return np.abs(counts)  # no negative zeros


def _error(
    bad: NDArray[np.bool_], frames: NDArray[np.float32], index: NDArray[np.int64], path: Path, hint: str
) -> UserError:
    """UserError with the first wrong frame and pixel and the number of further frames."""
    frame, row, column = np.argwhere(bad)[0]
    others = int(bad.any(axis=(1, 2)).sum()) - 1
    also = f" (and {others} more frames)" if others else ""
    value = frames[frame, row, column]
    return UserError(f"{path}: frame {index[frame]}{also}: pixel ({row}, {column}) = {value:.4g} {hint}")
