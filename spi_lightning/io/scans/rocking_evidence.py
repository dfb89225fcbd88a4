"""Signs that a file of patterns holds one rocking scan, whose frames are cuts of one 3D pattern."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import h5py
import numpy as np
from numpy.typing import NDArray

from spi_lightning.errors import UserError
from spi_lightning.io.hdf5.file import Hdf5Frames, opened
from spi_lightning.io.patterns.pattern_file import PatternFile

from .geometry import geometry_of_hdf5
from .hdf5 import rocking_angles
from .layout import find_scan

_LEAST_FRAMES: Final = 6  # of fewer a rise and fall means nothing
_FEW: Final = 12  # frames up to which a rise and fall may be chance, and neighbours must be alike, too
_UNLIKE: Final = 0.6  # of what frames three apart differ by, below which neighbours follow each other; by chance 0.7
_LOOKED_AT: Final = 64  # frames, evenly spread
_LEAST_ARM: Final = 1.0  # degree, of an arm that is turned away from the direct beam
_BACK: Final = 0.1  # share of the rise by which the photons may fall on the way up, or rise on the way down
_ABOVE_ENDS: Final = 2.0  # photons of the brightest frame over those of the first and the last
_ABOVE_FEW: Final = 1.2  # the same where few frames were taken


def rocking_evidence(patterns: PatternFile, content: bool = True) -> str | None:
    """What tells that the frames are a rocking scan, in words; None where nothing does.

    Args:
        patterns: Some frames.
        content: Whether to look at the photons, too: over a rocking scan they rise to the peak and fall, which those of
            independent frames do not.
    """
    angles = _angles_of(patterns)
    if angles is not None or not content or len(patterns) < _LEAST_FRAMES:
        return angles
    index = np.linspace(0, len(patterns) - 1, min(len(patterns), _LOOKED_AT)).round().astype(np.int64)
    few = len(patterns) < _FEW
    frames = [_photons(patterns, int(frame)) for frame in np.unique(index)] if few else []
    photons = np.array([one.sum() for one in frames] or [_photons(patterns, int(n)).sum() for n in np.unique(index)])
    found = rises_and_falls(photons, _ABOVE_FEW if few else _ABOVE_ENDS) and (not few or neighbours_alike(frames))
    return "the photons of its frames rise once to a peak and fall" if found else None


def rises_and_falls(photons: NDArray[np.float64], above: float = _ABOVE_ENDS) -> bool:
    """Whether photons (F,) rise to one frame inside and fall after it, the noise of the tails apart."""
    top = int(photons.argmax())
    height = float(photons[top] - photons.min())
    inside = 0 < top < len(photons) - 1
    if not inside or height <= 0 or photons[top] < above * max(photons[0], photons[-1], 1.0):
        return False
    up, down = np.diff(photons[: top + 1]), np.diff(photons[top:])
    wide = int((photons - photons.min() > 0.1 * height).sum()) >= 3  # one bright frame among dark ones is a hit
    return wide and float(-up[up < 0].sum() + down[down > 0].sum()) <= _BACK * height


def neighbours_alike(frames: Sequence[NDArray[np.float64]]) -> bool:
    """Whether neighbours among frames are far more alike than those three apart.

    Cuts of one 3D pattern are; independent frames, and several exposures of one, are not.
    """
    with np.errstate(invalid="ignore"):  # of frames without photons
        unlike = 1 - np.corrcoef(np.reshape(frames, (len(frames), -1)))
    return bool(np.nanmean(np.diagonal(unlike, 1)) < _UNLIKE * np.nanmean(np.diagonal(unlike, 3)))


def _photons(patterns: PatternFile, frame: int) -> NDArray[np.float64]:
    """Photons of a frame, 0 where not measured."""
    values = np.where(patterns.read_mask([frame]), patterns.read_stored([frame]), 0).astype(np.float64)
    return np.nan_to_num(values, posinf=0, neginf=0)


def _angles_of(patterns: PatternFile) -> str | None:
    """Words for a data set with an angle for each frame, or for an arm that is turned."""
    source = patterns.source
    if not isinstance(source, Hdf5Frames) or len(patterns) < 3:
        return None
    with opened(Path(source.path)) as file:
        try:
            layout = find_scan(file, source.key)
            found = rocking_angles(file, layout)
            arm = geometry_of_hdf5(file, layout)
        except UserError:
            return None
        if found is not None and _changes(found[1]):
            return f"it holds an angle for every frame, {found[0]}"
        if max(abs(arm.get("delta_deg", 0)), abs(arm.get("gamma_deg", 0))) > _LEAST_ARM:
            return "its detector stands on an arm at a Bragg angle"
    return None


def _changes(item: h5py.Dataset) -> bool:
    """Whether angles rise or fall from frame to frame, as those of a rotation series in one direction do."""
    values = np.ravel(np.asarray(item[()], dtype=np.float64))
    steps = np.diff(values[np.isfinite(values)])
    return len(steps) > 0 and bool((steps > 0).mean() > 0.8 or (steps < 0).mean() > 0.8)
