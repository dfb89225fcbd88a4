"""3D pattern of a measured scan around its Bragg peak: read, corrected, centred, binned and cropped, with its mask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from spi_lightning.data.measurement import Measurement
from spi_lightning.errors import UserError
from spi_lightning.io.patterns.intensities import require_no_amplitudes
from spi_lightning.io.scans.bragg_scan import BraggScan, ScanKeys, open_scan
from spi_lightning.notes import Note
from spi_lightning.physics.bragg.corrected_scan import CorrectedScan, correct, require_axes
from spi_lightning.physics.bragg.geometry import BraggGeometry
from spi_lightning.physics.bragg.geometry_check import (
    compare_angle_signs,
    contradictions,
    implausible_step,
    require_bragg_angle,
    require_plausible,
)
from spi_lightning.physics.bragg.laboratory import ScanAxes, axes_of
from spi_lightning.physics.bragg.peaks import find_parasitic_peaks
from spi_lightning.physics.bragg.preparation import PreparedPattern, cut_out, peak_of
from spi_lightning.physics.oversampling import Oversampling, estimate_oversampling

from .preparation import Preparation, bin_and_size, by, require_memory, with_a_top

_FREE = 0.1  # share of free voxels from which errors are underestimated
_PARASITIC = 0.01  # share of the photons in other crystals' peaks from which they are noted


@dataclass
class MeasuredPattern:
    """Prepared pattern with its oversampling and geometry.

    Attributes:
        pattern: Photons and mask, (Z, Y, X) each.
        oversampling: Oversampling of the pattern, from its autocorrelation.
        geometry: Known geometry, with Q at the peak if possible; ``geometry.notes()`` names missing outputs.
        notes: Notes for the user, one line each.
        sources: Sources of whitefield, bad pixels, dark and monitor.
    """

    pattern: PreparedPattern
    oversampling: Oversampling
    geometry: BraggGeometry
    notes: list[Note] = field(default_factory=list)
    sources: dict[str, str] = field(default_factory=dict)

    def prepared(self) -> dict[str, Any]:
        """Record of the preparation: bin, size, peak, threshold with the photons it dropped, and the images used."""
        mask = self.pattern.mask
        return {
            "bin": list(self.pattern.bin),
            "size": list(mask.shape),
            "peak": list(self.pattern.peak),
            "threshold": self.pattern.threshold,
            "dropped_photons": self.pattern.dropped,
            "free_voxels": int((~mask).sum()),
            **self.sources,
        }

    def voxel_vectors(self) -> Tensor | None:
        """Steps between voxels of the density, (3, 3) float64, m; None if the geometry is incomplete."""
        if self.geometry.missing():
            return None
        return self.geometry.voxel_vectors(tuple(self.pattern.photons.shape), self.pattern.bin)


def prepare_scan(
    scan: BraggScan, preparation: Preparation | None = None, geometry: Mapping[str, float | str | None] | None = None
) -> MeasuredPattern:
    """Prepare the pattern of a scan that was read.

    Args:
        scan: Scan as returned by io.scans.bragg_scan.open_scan.
        preparation: Settings of the preparation; None: the defaults.
        geometry: Quantities of BraggGeometry that the file lacks or states wrongly.

    Raises:
        UserError: As physics.bragg.preparation.prepare, or the geometry is implausible.
    """
    require_axes(scan.counts)
    how = preparation or Preparation()
    notes, stated = list(scan.notes), _known(geometry or {})
    require_no_amplitudes(scan.counts[torch.isfinite(scan.counts) & (scan.counts >= 0)].numpy(), str(scan.path))
    known, disputed = BraggGeometry(**(scan.geometry | stated)), contradictions(scan.geometry, stated)
    require_plausible(scan.geometry, stated)
    disputed += require_bragg_angle(known, stated)
    corrected = _corrected(scan, how)
    notes += corrected.notes
    images = [f"{name} from {source}" for name, source in scan.sources.items() if name != "angle"]
    if images:
        notes.append(Note.of("also read: " + ", ".join(images)))
    bin, size = bin_and_size(corrected, how, notes)
    require_memory(size, bin, how.prefix)
    pattern = cut_out(corrected, size, bin, how.threshold)
    oversampling = estimate_oversampling(with_a_top(pattern), pattern.mask)
    _, row, column = pattern.origin
    known = known.with_peak(scan.corner[0] + row, scan.corner[1] + column)
    if not known.missing() and known.step_deg is not None:
        vectors = known.voxel_vectors(tuple(pattern.photons.shape), pattern.bin)
        disputed += implausible_step(oversampling.extent, vectors, known.step_deg)
    notes += [
        *pattern.notes,
        *_summary(pattern, oversampling, corrected.photons.shape, how.prefix),
        *disputed,
        *known.notes(),
        *_assumed(known, scan.geometry | stated),
    ]
    if how.reflection is not None and not known.missing():
        h, k, index_l = how.reflection
        note = compare_angle_signs(pattern.photons, known, pattern.bin, (h, k, index_l)).note
        notes += [note] if note else []
    return MeasuredPattern(pattern, oversampling, known, notes, dict(scan.sources))


def _assumed(known: BraggGeometry, stated: Mapping[str, object]) -> list[Note]:
    """Note on directions of the laboratory frame that neither file nor user states; none of an incomplete geometry."""
    names = [name for name in ("row_direction", "column_direction", "rocking_axis") if name not in stated]
    if known.missing() or not names:
        return []
    words = " ".join(f"data.geometry.{name}={getattr(known, name)}" for name in names)
    return [
        Note.hint(
            f"assumed, as the file does not say it: {words}; others turn or mirror the crystal in the laboratory frame"
        )
    ]


def _corrected(scan: BraggScan, how: Preparation) -> CorrectedScan:
    """Corrected counts of a scan; parasitic peaks are masked or, with a warning, kept."""
    corrected = correct(
        scan.counts,
        scan.whitefield,
        scan.bad_pixels,
        scan.dark,
        scan.monitor,
        scan.whitefield_mean,
        how.saturation,
        how.normalise,
        noted_by_reader=True,
        defects=how.defects == "find",
    )
    peak = peak_of(corrected, how.threshold)
    parasitic, found = find_parasitic_peaks(corrected.with_tops, corrected.mask | corrected.saturated, peak)
    if how.parasitic_peaks == "find":
        corrected.notes += found or [Note.of("no peaks of other crystals found")]
        corrected.leave_out(parasitic)
    else:
        corrected.notes += _warning_of(parasitic, corrected.photons)
    return corrected


def _known(geometry: Mapping[str, float | str | None]) -> dict[str, float | str]:
    """Stated quantities of a geometry, without None; UserError for an unknown name."""
    names = [entry.name for entry in fields(BraggGeometry) if entry.name != "off_axis"]  # which is computed
    for name in geometry:
        if name not in names:
            raise UserError(f"data.geometry.{name} is unknown: there are {', '.join(names)}")
    return {name: value for name, value in geometry.items() if value is not None}


def _warning_of(parasitic: Tensor, photons: Tensor) -> list[Note]:
    """Warning of parasitic peaks with so many photons that they would disturb the density."""
    share = float(photons[parasitic].sum() / photons.sum())
    if share < _PARASITIC:
        return []
    return [
        Note.warning(
            f"{share:.0%} of the photons lie in peaks that look like other crystals': leave them out with "
            "data=one_scan data.preparation.parasitic_peaks=find, or cut the scan around one peak"
        )
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
    """Read a measured file and prepare its pattern; arguments and errors of open_scan and prepare_scan."""
    try:
        return prepare_scan(open_scan(path, keys, spec, scan, region, [*_known(geometry or {})]), preparation, geometry)
    except UserError as error:
        if str(path) in str(error):
            raise
        raise UserError(f"{path}: {error}") from error


def _summary(pattern: PreparedPattern, oversampling: Oversampling, shape: Sequence[int], prefix: str) -> list[Note]:
    """Notes on the pattern of a scan (frames, rows, columns); ``prefix`` of the options, see Preparation."""
    total, largest = float(pattern.photons.double().sum()), float(pattern.photons.max())
    held = f"{total:,.0f} photons, largest {largest:,.0f}"
    if not pattern.counted:
        held = f"intensity (relative) {total:.6g}, largest {largest:.6g}"
    lines = [
        Note.of(
            f"pattern of {by(pattern.photons.shape)} voxels, binned {by(pattern.bin)}, peak at voxel {pattern.peak} "
            f"of the scan, {held}"
        ),
        Note.of(str(oversampling)),
    ]
    free = 1 - float(pattern.mask.float().mean())
    if free > _FREE:
        lines.append(
            Note.warning(
                f"{free:.0%} of the voxels are free, as they were not measured: nothing holds them, so the "
                "relative Fourier error, which is of measured voxels alone, is smaller and the density less certain "
                "than in a pattern without them"
                + (f"; {prefix}size of one number pads nothing" * _padded(pattern, shape))
            )
        )
    coarse = [name for name, ratio in zip(("frame", "row", "column"), oversampling.ratio, strict=True) if ratio < 2]
    if coarse:
        lines.append(
            Note.warning(
                f"the oversampling along {', '.join(coarse)} is estimated below 2, where phases may not be "
                f"unique: take a smaller {prefix}bin there; with 1, the scan itself is too coarse"
            )
        )
    return lines


def _padded(pattern: PreparedPattern, shape: Sequence[int]) -> bool:
    """Whether a pattern extends beyond its scan (frames, rows, columns)."""
    edges = zip(pattern.peak, pattern.photons.shape, pattern.bin, shape, strict=True)
    starts = [(peak - n * step // 2, n * step, held) for peak, n, step, held in edges]
    return any(start < 0 or start + width > held for start, width, held in starts)


@dataclass(frozen=True, repr=False)
class ScanMeasurement(Measurement):
    """Measured rocking scan, a 3D pattern.

    Attributes:
        axes: Axes of the voxels of its density in the laboratory; None where the geometry is incomplete.
        prepared: Preparation of the counts, by the names of the settings, for metrics.json.
    """

    axes: ScanAxes | None = None
    prepared: dict[str, Any] = field(default_factory=dict)

    def facts(self) -> Mapping[str, object]:
        """As of Measurement, and whether the laboratory frame is known."""
        return {**super().facts(), "laboratory": "not known: incomplete geometry" if self.axes is None else "known"}

    @property
    def found_keys(self) -> dict[str, str]:
        """See Measurement; not the mask, which has another sense where it is named."""
        return {name: self.prepared[name] for name in ("whitefield", "dark", "monitor") if name in self.prepared}


def measure_scan(
    path: str | Path | Sequence[str],
    keys: ScanKeys | None = None,
    preparation: Preparation | None = None,
    geometry: Mapping[str, float | str | None] | None = None,
    spec: str | None = None,
    scan: int | None = None,
    region: Sequence[int] | None = None,
) -> ScanMeasurement:
    """Read, correct, centre, bin and cut a scan; arguments and errors of read_pattern.

    Returns:
        The amplitudes (z, y, x) = (rocking, row, column) with their mask. Their frequency steps are those of the three
        measured directions, which are not perpendicular; lengths along them are right, angles are not.
    """
    return measurement_of(read_pattern(path, keys, preparation, geometry, spec, scan, region))


def measurement_of(made: MeasuredPattern) -> ScanMeasurement:
    """Amplitudes of a prepared scan with their frequency steps; see measure_scan."""
    axes = axes_of(made.geometry, tuple(made.pattern.photons.shape), made.pattern.bin)
    steps = None if axes is None else _steps(axes, made.pattern.photons.shape)
    return ScanMeasurement(
        made.pattern.fourier_amplitude,
        made.pattern.mask,
        steps,
        notes=list(made.notes),
        counted=made.pattern.counted,
        poisson=made.pattern.poisson,
        axes=axes,
        prepared=made.prepared(),
    )


def _steps(axes: ScanAxes, shape: Sequence[int]) -> tuple[float, ...]:
    """Frequency per voxel along each axis of the scan, 1/m; the steps between voxels are the columns."""
    return tuple(1 / (n * float(vector.norm())) for n, vector in zip(shape, axes.vectors.T, strict=True))
