"""One measured file as one 3D pattern: read, corrected, centred, binned and cut, with its mask."""

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from math import isfinite, prod
from pathlib import Path

import numpy as np
import torch
from lightning_utilities.core.rank_zero import rank_zero_only
from torch import Tensor
from torch.utils.data import Dataset

from spi_lightning.data.hits import PatternBatches
from spi_lightning.data.volumes import FOURIER_AMPLITUDE
from spi_lightning.fields import FRAME, MASK, Batch, UserError
from spi_lightning.io.bragg_scan import BraggScan, ScanKeys, open_scan
from spi_lightning.physics.alien_peaks import find_aliens
from spi_lightning.physics.angle_sign import compare_angle_signs
from spi_lightning.physics.bragg_geometry import BraggGeometry
from spi_lightning.physics.bragg_preparation import (
    PreparedPattern,
    correct_frames,
    find_centre,
    prepare,
    saturated_voxels,
)
from spi_lightning.physics.geometry_check import contradictions, require_plausible
from spi_lightning.physics.oversampling import Oversampling, estimate_oversampling, suggest_bins, suggest_size

_ALIEN = 0.01  # share of the photons in other crystals' peaks from which they are worth a word
_BYTES = 16  # for each voxel of a pattern before binning
_TOP = 4  # voxels from the middle within which those not measured are taken as a saturated peak's
_LEAST = 5  # voxels along the longest axis of a pattern


@dataclass
class Preparation:
    """How a scan becomes a pattern.

    size: edge of the pattern, voxel: one number, at most what the scan holds, or z, y, x; None: what holds 99.99 % of
    the photons. bins: voxels added along each axis, one number or z, y, x; None: as many as leave an oversampling of
    ``least_oversampling``. threshold: corrected counts at or below become 0. aliens: ``none`` or ``find`` (taken as
    not measured). normalise: divide by the monitor. saturation: counts from here on are not measured. reflection:
    Miller indices of a cubic crystal's peak; its facets then tell whether the rocking angle has the right sign.
    """

    size: int | Sequence[int] | None = 64
    bins: int | Sequence[int] | None = None
    threshold: float = 2.0
    least_oversampling: float = 2.5
    aliens: str = "none"
    normalise: bool = False
    saturation: float | None = None
    reflection: Sequence[int] | None = None

    def __post_init__(self) -> None:
        for name, value in (("size", self.size), ("bins", self.bins)):
            _require_whole(f"data.preparation.{name}", value)
        for name, number in (("threshold", self.threshold), ("least_oversampling", self.least_oversampling)):
            if not _is_number(number):
                raise UserError(f"data.preparation.{name}={number}: give a number")
        if self.saturation is not None and not _is_number(self.saturation):
            raise UserError(f"data.preparation.saturation={self.saturation}: give a number of counts, or null")
        if self.aliens not in ("none", "find"):
            raise UserError(f"data.preparation.aliens={self.aliens!r} is unknown; choose none or find")
        if self.reflection is not None and (len(self.reflection) != 3 or not any(self.reflection)):
            raise UserError(f"data.preparation.reflection={list(self.reflection)}: give three indices, not all 0")


@dataclass
class MeasuredPattern:
    """A prepared pattern, how finely it is sampled, and where its voxels lie.

    Attributes:
        pattern: Photons and mask (Z, Y, X).
        oversampling: Of the prepared pattern, from its autocorrelation.
        geometry: What is known; ``geometry.notes()`` names the outputs that cannot be had.
        notes: All a user should read, one line each.
    """

    pattern: PreparedPattern
    oversampling: Oversampling
    geometry: BraggGeometry
    notes: list[str] = field(default_factory=list)

    def voxel_vectors(self) -> Tensor | None:
        """Steps between voxels of the density, (3, 3) float64, m; None if the geometry is incomplete."""
        if self.geometry.missing():
            return None
        return self.geometry.voxel_vectors(tuple(self.pattern.photons.shape), self.pattern.bins)


def prepare_scan(
    scan: BraggScan, preparation: Preparation | None = None, geometry: Mapping[str, float | str | None] | None = None
) -> MeasuredPattern:
    """Make the pattern of a scan that was read.

    Args:
        scan: See io.bragg_scan.open_scan.
        preparation: See Preparation.
        geometry: Quantities of BraggGeometry that the file does not say, or says wrongly.

    Raises:
        UserError: See physics.bragg_preparation.prepare.
    """
    how = preparation or Preparation()
    notes, given = list(scan.notes), _known(geometry or {})
    known, disputed = BraggGeometry(**(scan.geometry | given)), contradictions(scan.geometry, given)  # type: ignore[arg-type]
    require_plausible(scan.geometry, given)
    images = {"whitefield": scan.whitefield, "bad_pixels": scan.bad_pixels, "dark": scan.dark, "monitor": scan.monitor}
    corrections = images | {
        "whitefield_mean": scan.whitefield_mean,
        "saturation": how.saturation,
        "normalise": how.normalise,
        "told": True,
    }
    blemish, found = _other_crystals(scan, corrections)
    if how.aliens == "find":
        notes += found or ["no peaks of other crystals found"]
    else:
        notes += _warning_of(blemish, scan.counts)
        blemish = None
    bins, size = _bins_and_size(scan, how, corrections, notes)
    _require_memory(size, bins)
    pattern = prepare(scan.counts, size, bins, how.threshold, blemish=blemish, **corrections)  # type: ignore[arg-type]
    oversampling = estimate_oversampling(_with_a_top(pattern))
    notes += [*pattern.notes, *_summary(pattern, oversampling), *disputed, *known.notes()]
    if how.reflection is not None and not known.missing():
        h, k, index_l = how.reflection
        note = compare_angle_signs(pattern.photons, known, pattern.bins, (h, k, index_l)).note
        notes += [note] if note else []
    return MeasuredPattern(pattern, oversampling, known, notes)


def _with_a_top(pattern: PreparedPattern) -> Tensor:
    """Its photons (Z, Y, X), a saturated middle as bright as the brightest voxel: for the autocorrelation."""
    middle = tuple(slice(max(0, n // 2 - _TOP), n // 2 + _TOP + 1) for n in pattern.photons.shape)
    if bool(pattern.mask[tuple(n // 2 for n in pattern.mask.shape)]):
        return pattern.photons
    filled = pattern.photons.clone()
    filled[middle] = torch.where(pattern.mask[middle], filled[middle], filled.max())
    return filled


def _known(geometry: Mapping[str, float | str | None]) -> dict[str, float | str]:
    """What is not None; UserError for a name that no geometry has."""
    names = [entry.name for entry in fields(BraggGeometry)]
    for name in geometry:
        if name not in names:
            raise UserError(f"data.geometry.{name} is unknown: there are {', '.join(names)}")
    return {name: value for name, value in geometry.items() if value is not None}


def _other_crystals(scan: BraggScan, corrections: Mapping[str, object]) -> tuple[Tensor | None, list[str]]:
    """Voxels with peaks of other crystals, and a line for each peak; nothing of a scan that prepare will refuse."""
    if scan.counts.ndim != 3 or min(scan.counts.shape) < _LEAST:
        return None, []
    photons, mask, _ = correct_frames(scan.counts, **corrections)  # type: ignore[arg-type]
    saturated = saturated_voxels(scan.counts, corrections["saturation"], scan.bad_pixels)  # type: ignore[arg-type]
    # a peak without its top is brighter on one side than on the other, as another crystal's would be
    photons = torch.where(saturated, photons.max(), photons)
    return find_aliens(photons, mask | saturated, find_centre(photons, saturated))


def _warning_of(blemish: Tensor | None, counts: Tensor) -> list[str]:
    """A line where what looks like other crystals holds so many photons that it would end up in the density."""
    if blemish is None or not bool(blemish.any()):
        return []
    valid = torch.where(torch.isfinite(counts), counts, 0.0).clamp_min(0)
    share = float(valid[blemish].sum() / valid.sum())
    if share < _ALIEN:
        return []
    return [
        f"WARNING: {share:.0%} of the photons lie in peaks that look like other crystals': leave them out with "
        "data=one_scan data.preparation.aliens=find, or cut the scan around one peak"
    ]


def read_pattern(
    path: str | Path | Sequence[str],
    keys: ScanKeys | None = None,
    preparation: Preparation | None = None,
    geometry: Mapping[str, float | str | None] | None = None,
    spec: str | None = None,
    scan: int | None = None,
    region: Sequence[int] | None = None,
) -> MeasuredPattern:
    """Read a measured file and make its pattern; arguments and errors of open_scan and prepare_scan."""
    try:
        return prepare_scan(open_scan(path, keys, spec, scan, region), preparation, geometry)
    except UserError as error:
        if str(path) in str(error):
            raise
        raise UserError(f"{path}: {error}") from error


class SinglePattern(Dataset[Batch]):
    """One pattern, as often as wanted: ``dataset[[0, 0]]`` is a batch of two equal ones."""

    def __init__(self, measured: MeasuredPattern) -> None:
        self.measured = measured

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: Sequence[int]) -> Batch:
        pattern, count = self.measured.pattern, len(index)
        shape = (count, 1, *pattern.photons.shape)
        return {
            FOURIER_AMPLITUDE: pattern.fourier_amplitude.expand(shape),
            MASK: pattern.mask.expand(shape),
            FRAME: torch.zeros(count, dtype=torch.int64),
        }


class SinglePatternDataModule(PatternBatches):
    """One measured file in all splits, for refinement and phasing.

    Args:
        path, keys, spec, scan, region: See io.bragg_scan.open_scan.
        preparation: See Preparation.
        geometry: See prepare_scan.
        steps: Training batches in one epoch.
        batch_size: Equal patterns in a batch, e.g. one for each random start.
        seed: Not used by the data.
    """

    def __init__(
        self,
        path: str | Sequence[str],
        keys: ScanKeys | None = None,
        preparation: Preparation | None = None,
        geometry: Mapping[str, float | str | None] | None = None,
        spec: str | None = None,
        scan: int | None = None,
        region: Sequence[int] | None = None,
        steps: int = 1,
        batch_size: int = 1,
        seed: int = 0,
    ) -> None:
        super().__init__(batch_size, 0, seed)
        self.source = (path, keys, preparation, geometry, spec, scan, region)
        self.steps = steps
        self.measured: MeasuredPattern | None = None

    def setup(self, stage: str) -> None:
        """Read and prepare the file, once, and say what was done."""
        if self.measured is None:
            self.measured = read_pattern(*self.source)
            for note in self.measured.notes:
                _say(note)
            self.splits = {name: SinglePattern(self.measured) for name in ("train", "val", "test", "predict")}

    def training_order(self, epoch: int) -> np.ndarray:
        """The pattern again and again."""
        return np.zeros(self.patterns_in("train"), dtype=np.int64)

    def patterns_in(self, split: str) -> int:
        """One, and in training as many as an epoch's batches hold."""
        return self.steps * self.batch_size if split == "train" and self.splits else super().patterns_in(split)


def _bins_and_size(
    scan: BraggScan, how: Preparation, corrections: Mapping[str, object], notes: list[str]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """What was asked for, or what the autocorrelation of the whole scan supports."""
    bins, size = _three(how.bins), _three(how.size)
    guessed = bins is None or size is None
    if bins is None or size is None:
        whole = prepare(scan.counts, tuple(scan.counts.shape), 1, how.threshold, **corrections)  # type: ignore[arg-type]
        found = estimate_oversampling(_with_a_top(whole))
        notes.append(f"the scan as measured: {found}")
        bins = bins or suggest_bins(found, how.least_oversampling)
        size = size or suggest_size(whole.photons, bins)
    if isinstance(how.size, int):
        size = _without_padding(how.size, bins, scan.counts.shape, notes)
    if guessed:
        notes.append(f"binned {_by(bins)} and cut to {_by(size)}, as its oversampling and photons allow")
    return bins, size


def _without_padding(size: int, bins: Sequence[int], shape: Sequence[int], notes: list[str]) -> tuple[int, ...]:
    """A cube; no larger than a scan that is smaller than asked along all axes, as nothing was measured around it.

    Raises:
        UserError: Bins that leave next to nothing of the scan.
    """
    room = max(n // max(1, step) for n, step in zip(shape, bins, strict=True))
    if room < _LEAST and max(bins) == 1:
        raise UserError(f"a scan of {_by(shape)} voxels is too small: at least {_LEAST} along one axis are needed")
    if room < _LEAST:
        raise UserError(f"bins {_by(bins)} leave {room} voxels of a scan of {_by(shape)}: take fewer")
    if room >= size:
        return (size,) * 3
    notes.append(f"the scan holds {_by(shape)} voxels: cut to {room}, not {size}; three numbers as size pad it")
    return (room,) * 3


def _require_whole(name: str, value: object) -> None:
    """Raise UserError unless it is None, one whole number from 1 on, or three."""
    parts = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value] * 3
    if value is not None and not (len(parts) == 3 and all(isinstance(part, int) and part >= 1 for part in parts)):
        raise UserError(f"{name}={value}: give one whole number, or three for z, y, x, 1 or more")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _require_memory(size: Sequence[int], bins: Sequence[int]) -> None:
    """Raise UserError where the pattern before binning, four such arrays at once, would fill the memory."""
    edges = [n * step for n, step in zip(size, bins, strict=True)]
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    needed = _BYTES * prod(edges)
    if needed > free:
        fits = int((free / _BYTES / prod(bins)) ** (1 / 3))
        raise UserError(
            f"data.preparation.size={_by(size)} with bins {_by(bins)} needs {needed / 2**30:,.1f} GiB, "
            f"{free / 2**30:,.1f} GiB are to be had: {fits} x {fits} x {fits} would fit"
        )


def _three(value: int | Sequence[int] | None) -> tuple[int, ...] | None:
    if value is None:
        return None
    return (value,) * 3 if isinstance(value, int) else tuple(int(part) for part in value)


def _summary(pattern: PreparedPattern, oversampling: Oversampling) -> list[str]:
    """What came out, for the log."""
    lines = [
        f"pattern of {_by(pattern.photons.shape)} voxels, binned {_by(pattern.bins)}, peak at voxel {pattern.peak} of "
        f"the scan, {float(pattern.photons.sum()):,.0f} photons, largest {float(pattern.photons.max()):,.0f}",
        str(oversampling),
    ]
    coarse = [name for name, ratio in zip(("frame", "row", "column"), oversampling.ratio, strict=True) if ratio < 2]
    if coarse:
        lines.append(
            f"WARNING: the oversampling along {', '.join(coarse)} is estimated below 2, where phases may not be "
            "unique: take fewer data.preparation.bins there; without bins, the scan itself is too coarse"
        )
    return lines


def _by(numbers: Sequence[int]) -> str:
    return " x ".join(str(int(number)) for number in numbers)


@rank_zero_only
def _say(line: str) -> None:
    logging.getLogger(__name__).info(line)
