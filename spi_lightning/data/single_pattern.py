"""One measured file as one 3D pattern: read, corrected, centred, binned and cut, with its mask."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
from spi_lightning.physics.bragg_preparation import PreparedPattern, correct_frames, find_peak, prepare
from spi_lightning.physics.oversampling import Oversampling, estimate_oversampling, suggest_bins, suggest_size

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
    scan: BraggScan, preparation: Preparation | None = None, geometry: Mapping[str, float | str] | None = None
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
    notes = list(scan.notes)
    images = {"whitefield": scan.whitefield, "bad_pixels": scan.bad_pixels, "dark": scan.dark, "monitor": scan.monitor}
    corrections = images | {
        "whitefield_mean": scan.whitefield_mean,
        "saturation": how.saturation,
        "normalise": how.normalise,
    }
    blemish = None
    if how.aliens == "find" or how.bins is None or how.size is None:
        photons, mask, _ = correct_frames(scan.counts, **corrections)  # type: ignore[arg-type]
        if how.aliens == "find":
            blemish, found = find_aliens(photons, mask, find_peak(photons))
            notes += found or ["no peaks of other crystals found"]
    bins, size = _bins_and_size(scan, how, corrections, notes)
    pattern = prepare(scan.counts, size, bins, how.threshold, blemish=blemish, **corrections)  # type: ignore[arg-type]
    oversampling = estimate_oversampling(pattern.photons)
    known = BraggGeometry(**(scan.geometry | dict(geometry or {})))  # type: ignore[arg-type]
    notes += [*pattern.notes, *_summary(pattern, oversampling), *known.notes()]
    if how.reflection is not None and not known.missing():
        h, k, index_l = how.reflection
        note = compare_angle_signs(pattern.photons, known, pattern.bins, (h, k, index_l)).note
        notes += [note] if note else []
    return MeasuredPattern(pattern, oversampling, known, notes)


def read_pattern(
    path: str | Path | Sequence[str],
    keys: ScanKeys | None = None,
    preparation: Preparation | None = None,
    geometry: Mapping[str, float | str] | None = None,
    spec: str | None = None,
    scan: int | None = None,
    region: Sequence[int] | None = None,
) -> MeasuredPattern:
    """Read a measured file and make its pattern; arguments and errors of open_scan and prepare_scan."""
    return prepare_scan(open_scan(path, keys, spec, scan, region), preparation, geometry)


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
        geometry: Mapping[str, float | str] | None = None,
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
        found = estimate_oversampling(whole.photons)
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
    if room < _LEAST:
        raise UserError(f"bins {_by(bins)} leave {room} voxels of a scan of {_by(shape)}: take fewer")
    if room >= size:
        return (size,) * 3
    notes.append(f"the scan holds {_by(shape)} voxels: cut to {room}, not {size}; three numbers as size pad it")
    return (room,) * 3


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
    if min(oversampling.ratio) < 2:
        lines.append("an oversampling below 2 along one axis: take fewer bins or more voxels there")
    return lines


def _by(numbers: Sequence[int]) -> str:
    return " x ".join(str(int(number)) for number in numbers)


@rank_zero_only
def _say(line: str) -> None:
    logging.getLogger(__name__).info(line)
