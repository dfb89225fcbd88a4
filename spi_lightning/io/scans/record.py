"""BraggScan, a rocking scan as read from files of any format, and its voxels that are not measured or saturated."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.io.hdf5.limits import Limits
from spi_lightning.io.masks.convention import choose_convention, convention_of_name, excluded_shares, measured
from spi_lightning.notes import Note
from spi_lightning.physics.bragg.frame_order import frames_listed
from spi_lightning.physics.frames.saturation import find_saturated
from spi_lightning.physics.frames.sentinels import Sentinel, find_sentinels


@dataclass
class ScanKeys:
    """Names of data sets in an HDF5 scan, or of side files (.tif, .npy).

    None searches the usual names, and for counts the only data set with three axes; ``none`` leaves out a monitor,
    whitefield, dark or bad pixels that the file has.
    """

    counts: str | None = None
    angle: str | None = None
    monitor: str | None = None
    whitefield: str | None = None
    dark: str | None = None
    bad_pixels: str | None = None


@dataclass
class BraggScan:
    """Counts of a rocking scan with their metadata.

    Attributes:
        path: Path of the file or folder.
        counts: (frames, rows, columns) float32; NaN where not measured, infinite where saturated; both are noted.
        angle_deg, monitor: Rocking angle, degree, and monitor, any unit; (frames,) float64 or None.
        whitefield, dark, bad_pixels: Images of the detector, (rows, columns) float32 or None; bad pixels are 1.
        whitefield_mean: Mean of the whitefield over the full detector, if the file states it.
        geometry: Quantities of BraggGeometry that the file states, m, eV and degree.
        corner: Row and column of the full detector at which the frames start, pixel.
        notes: Choices and corrections of the reader.
        sources: Data set or file that angle, monitor, whitefield, dark and bad_pixels were read from, by name.
    """

    path: Path
    counts: Tensor
    angle_deg: Tensor | None = None
    monitor: Tensor | None = None
    whitefield: Tensor | None = None
    dark: Tensor | None = None
    bad_pixels: Tensor | None = None
    whitefield_mean: float | None = None
    geometry: dict[str, Any] = field(default_factory=dict)
    corner: tuple[int, int] = (0, 0)
    notes: list[Note] = field(default_factory=list)
    sources: dict[str, str] = field(default_factory=dict)

    def add_bad(self, bad: Tensor) -> None:
        """Add the bad pixels of a mask (rows, columns) bool; voxels (frames, rows, columns), as of a gap, are NaN."""
        if bad.ndim == 2:
            self.bad_pixels = bad.float()
            return
        self.counts = torch.where(bad, torch.nan, self.counts)
        self.notes.append(Note.of(f"{int(bad.sum())} voxels are bad by the mask of every frame: taken as not measured"))


_MAX_SHARE: Final = 0.5  # of a frame, more than a saturated peak fills
_PART: Final = 0.05  # of a frame; a peak that saturates as much does so in more than one frame
_SUDDEN: Final = 0.25  # of that share, which the neighbouring frames of a peak reach
SATURATED: Final = float("inf")  # value of a saturated voxel


def without_flaws(
    counts: NDArray[Any], fill: Sequence[float] = (), limits: Limits | None = None
) -> tuple[Tensor, list[Note]]:
    """Counts (frames, rows, columns) float32, NaN where not measured, infinite where saturated; a note for each cause.

    Sentinels are found by physics.frames.sentinels; the largest integer of a dtype is saturated where a voxel holds it
    in some frames only, and so is the largest value of a bright scan that many voxels share.

    Args:
        counts: Counts as stored, (frames, rows, columns); frames of NaN throughout are missing, and noted elsewhere.
        fill: Fill values that the file states.
        limits: Valid range of the counts that the file states.
    """
    values = torch.from_numpy(counts.astype(np.float32))
    marked, sentinels = find_sentinels(counts, fill)
    full, tops = find_saturated(counts, marked)
    largest = _largest(counts.dtype)
    overflow = marked & ~marked.all(0) & (counts == largest)
    if overflow.any():
        why = f"the largest {counts.dtype}"
        tops = [*tops, Sentinel(largest, int(overflow.sum()), why, always=False)]
        sentinels = [each for each in sentinels if each.always or each.value != largest]
    notes = [Note.of(sentinel.line()) for sentinel in sentinels if not np.isnan(sentinel.value)]
    notes += [
        Note.of(f"{top.pixels} voxels are saturated, at {top.value:.10g}, {top.why}: not measured") for top in tops
    ]
    limits, outside = (limits or Limits()).fitting(counts, marked | full | overflow)
    notes += outside
    saturated = full | overflow | (limits.over(counts) & ~marked)
    marked |= limits.under(counts)
    values[torch.from_numpy(marked | saturated)] = torch.nan
    values[torch.from_numpy(saturated & ~_filled(saturated)[:, None, None])] = SATURATED
    flaws: list[tuple[NDArray[np.bool_], str]] = []
    if counts.dtype.kind == "f":
        present = ~np.isnan(counts).all((1, 2), keepdims=True)
        flaws += [(np.isnan(counts) & present, "hold NaN"), (np.isinf(counts), "hold infinite counts")]
    if counts.dtype.kind in "fi":
        flaws.append(((np.nan_to_num(counts, nan=0, neginf=0) < 0) & ~marked, "hold negative counts"))
    for where, what in flaws:
        if where.any():
            notes.append(Note.of(f"{int(where.sum())} voxels {what}: taken as not measured"))
            values[torch.from_numpy(where)] = torch.nan
    return values, notes


def _filled(saturated: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Frames (frames,) bool saturated by no peak: in most of the frame, or far more than in its neighbours."""
    share = saturated.mean((1, 2))
    beside = np.maximum(np.append(0, share[:-1]), np.append(share[1:], 0))
    filled: NDArray[np.bool_] = (share > _MAX_SHARE) | ((share > _PART) & (beside < _SUDDEN * share))
    return filled


def _largest(dtype: np.dtype[Any]) -> int:
    """Largest integer of a dtype; -1 for floats."""
    return int(np.iinfo(dtype).max) if dtype.kind in "ui" else -1


def missing_note(missing: list[int], frames: int) -> Note:
    """Note on missing frames, the same for all formats."""
    return Note.of(f"{len(missing)} of {frames} frames are missing ({frames_listed(missing)}): taken as not measured")


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
