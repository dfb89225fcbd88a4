"""One measured file as one 3D pattern: read, corrected, centred, binned and cut, with its mask."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.io.patterns.intensities import require_no_amplitudes
from spi_lightning.io.scans.bragg_scan import BraggScan, ScanKeys, open_scan
from spi_lightning.notes import Note
from spi_lightning.physics.bragg.angle_sign import compare_angle_signs
from spi_lightning.physics.bragg.corrected_scan import CorrectedScan, correct, require_axes
from spi_lightning.physics.bragg.geometry import BraggGeometry
from spi_lightning.physics.bragg.geometry_check import (
    contradictions,
    implausible_step,
    require_bragg_angle,
    require_plausible,
)
from spi_lightning.physics.bragg.parasitic_peaks import find_parasitic_peaks
from spi_lightning.physics.bragg.preparation import PreparedPattern, cut_out, peak_of
from spi_lightning.physics.oversampling import Oversampling, estimate_oversampling

from .preparation import Preparation, bin_and_size, by, require_memory, with_a_top

_FREE = 0.1  # share of free voxels from which errors flatter
_PARASITIC = 0.01  # share of the photons in other crystals' peaks from which they are worth a word


@dataclass
class MeasuredPattern:
    """A prepared pattern, how finely it is sampled, and where its voxels lie.

    Attributes:
        pattern: Photons and mask (Z, Y, X).
        oversampling: Of the prepared pattern, from its autocorrelation.
        geometry: What is known, with Q at the peak if that can be; ``geometry.notes()`` names what cannot be had.
        notes: All a user should read, one line each.
        sources: Where whitefield, bad pixels, dark and monitor were read from.
    """

    pattern: PreparedPattern
    oversampling: Oversampling
    geometry: BraggGeometry
    notes: list[Note] = field(default_factory=list)
    sources: dict[str, str] = field(default_factory=dict)

    def prepared(self) -> dict[str, Any]:
        """What was done to the counts: bin, size, peak, threshold with what it dropped, and the images used."""
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
    """Make the pattern of a scan that was read.

    Args:
        scan: See io.bragg_scan.open_scan.
        preparation: See Preparation.
        geometry: Quantities of BraggGeometry that the file does not say, or says wrongly.

    Raises:
        UserError: See physics.bragg_preparation.prepare.
    """
    require_axes(scan.counts)
    how = preparation or Preparation()
    notes, given = list(scan.notes), _known(geometry or {})
    require_no_amplitudes(scan.counts[torch.isfinite(scan.counts) & (scan.counts >= 0)].numpy(), str(scan.path))
    known, disputed = BraggGeometry(**(scan.geometry | given)), contradictions(scan.geometry, given)
    require_plausible(scan.geometry, given)
    disputed += require_bragg_angle(known, given)
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
    ]
    if how.reflection is not None and not known.missing():
        h, k, index_l = how.reflection
        note = compare_angle_signs(pattern.photons, known, pattern.bin, (h, k, index_l)).note
        notes += [note] if note else []
    return MeasuredPattern(pattern, oversampling, known, notes, dict(scan.sources))


def _corrected(scan: BraggScan, how: Preparation) -> CorrectedScan:
    """The counts of a scan without what its detector and other crystals add to them."""
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
    blemish, found = find_parasitic_peaks(corrected.with_tops, corrected.mask | corrected.saturated, peak)
    if how.parasitic_peaks == "find":
        corrected.notes += found or [Note.of("no peaks of other crystals found")]
        corrected.leave_out(blemish)
    else:
        corrected.notes += _warning_of(blemish, corrected.photons)
    return corrected


def _known(geometry: Mapping[str, float | str | None]) -> dict[str, float | str]:
    """What is not None; UserError for a name that no geometry has."""
    names = [entry.name for entry in fields(BraggGeometry) if entry.name != "off_axis"]  # that is found
    for name in geometry:
        if name not in names:
            raise UserError(f"data.geometry.{name} is unknown: there are {', '.join(names)}")
    return {name: value for name, value in geometry.items() if value is not None}


def _warning_of(blemish: Tensor, photons: Tensor) -> list[Note]:
    """A line where what looks like other crystals holds so many photons that it would end up in the density."""
    share = float(photons[blemish].sum() / photons.sum())
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
    """Read a measured file and make its pattern; arguments and errors of open_scan and prepare_scan."""
    try:
        return prepare_scan(open_scan(path, keys, spec, scan, region, [*_known(geometry or {})]), preparation, geometry)
    except UserError as error:
        if str(path) in str(error):
            raise
        raise UserError(f"{path}: {error}") from error


def _summary(pattern: PreparedPattern, oversampling: Oversampling, shape: Sequence[int], prefix: str) -> list[Note]:
    """What came out of a scan (frames, rows, columns), for the log; ``prefix``: of the options, see Preparation."""
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
                "than "
                "in a pattern without them" + (f"; {prefix}size of one number pads nothing" * _padded(pattern, shape))
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
    """Whether a pattern reaches beyond the scan that it was cut from."""
    edges = zip(pattern.peak, pattern.photons.shape, pattern.bin, shape, strict=True)
    starts = [(peak - n * step // 2, n * step, held) for peak, n, step, held in edges]
    return any(start < 0 or start + width > held for start, width, held in starts)
