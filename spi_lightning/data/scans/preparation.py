"""Settings of the preparation of a scan, and the binning and size that its photons support."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import ClassVar, Final

import torch
from torch import Tensor

from spi_lightning.errors import UserError, is_number
from spi_lightning.notes import Note
from spi_lightning.physics.array import box_about_origin
from spi_lightning.physics.bragg.corrected_scan import CorrectedScan
from spi_lightning.physics.bragg.preparation import PreparedPattern, cut_out, peak_of
from spi_lightning.physics.oversampling import estimate_oversampling, suggest_bin, suggest_size

_BYTES = 16  # for each voxel of a pattern before binning
_KEPT = 16  # voxels that automatic binning leaves along each axis
_TOP = 4  # voxels from the middle within which unmeasured ones belong to a saturated peak
LEAST: Final = 5  # voxels along the longest axis of a pattern


@dataclass
class Preparation:
    """Settings of the preparation of a scan.

    Attributes:
        size: Edge of the pattern, voxel: one number, limited to what the scan holds around its peak along each axis, or
            z, y, x, which may pad; None: as needed for 99.99 % of the photons.
        bin: Voxels summed along each axis, one number or z, y, x; None: as many as leave an oversampling of
            ``least_oversampling`` and 16 voxels.
        threshold: Corrected counts at or below this value become 0.
        least_oversampling: Least oversampling that automatic binning leaves.
        parasitic_peaks: Treatment of peaks of other crystals, ``none`` or ``find`` (not measured).
        defects: Treatment of hot pixels, zingers, dropped frames and dead lines, likewise.
        normalise: Whether to divide by the monitor.
        saturation: Counts at or above this value are not measured; None: no limit.
        reflection: Miller indices of the peak of a cubic crystal, whose facets then test the sign of the rocking angle.
        prefix: Prefix of the names of the options, for notes and errors.
    """

    size: int | Sequence[int] | None = 64
    bin: int | Sequence[int] | None = None
    threshold: float = 0.0
    least_oversampling: float = 2.5
    parasitic_peaks: str = "none"
    defects: str = "find"
    normalise: bool = False
    saturation: float | None = None
    reflection: Sequence[int] | None = None
    prefix: ClassVar[str] = "data.preparation."

    def __post_init__(self) -> None:
        for name, value in (("size", self.size), ("bin", self.bin)):
            _require_whole(f"{self.prefix}{name}", value)
        for name, number in (("threshold", self.threshold), ("least_oversampling", self.least_oversampling)):
            if not is_number(number):
                raise UserError(f"{self.prefix}{name}={number}: give a number")
        if self.saturation is not None and not is_number(self.saturation):
            raise UserError(f"{self.prefix}saturation={self.saturation}: give a number of counts, or null")
        for name, choice in (("parasitic_peaks", self.parasitic_peaks), ("defects", self.defects)):
            if choice not in ("none", "find"):
                raise UserError(f"{self.prefix}{name}={choice!r} is unknown; choose none or find")
        if self.reflection is not None and (len(self.reflection) != 3 or not any(self.reflection)):
            raise UserError(f"{self.prefix}reflection={list(self.reflection)}: give three indices, not all 0")


def bin_and_size(scan: CorrectedScan, how: Preparation, notes: list[Note]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Binning and size of the settings, or those that the autocorrelation of the whole scan supports.

    Three numbers as size are final; one number is limited to what was measured evenly around the peak along each axis,
    since starts do not agree on free voxels beyond.

    Raises:
        UserError: The peak is at the border, or the binning leaves too few voxels.
    """
    shape, bin, size = tuple(scan.photons.shape), _three(how.bin), _three(how.size)
    if bin is None or size is None:
        whole = cut_out(scan, shape, 1, how.threshold)
        found = estimate_oversampling(with_a_top(whole), whole.mask)
        notes.append(Note.of(f"the scan as measured: {found}"))
        few = tuple(max(1, n // _KEPT) for n in shape)  # short axes lose their resolution to binning
        bin = bin or tuple(map(min, suggest_bin(found, how.least_oversampling), few))
        size = size or suggest_size(whole.photons, bin)
    if how.size is None or isinstance(how.size, int):
        size = _measured_around(scan, how, bin, size, notes)
    if how.bin is None or how.size is None:
        why = [*(["its oversampling"] * (how.bin is None)), *(["its photons"] * (how.size is None))]
        fixed = f"; {how.prefix}size={how.size} was given, or is the default" if how.size is not None else ""
        notes.append(Note.of(f"binned {by(bin)} and cut to {by(size)}, by {' and '.join(why)}{fixed}"))
    return bin, size


def _measured_around(
    scan: CorrectedScan, how: Preparation, bin: Sequence[int], size: Sequence[int], notes: list[Note]
) -> tuple[int, ...]:
    """Size of the pattern, limited to what the scan holds evenly around its peak, so that nothing is padded."""
    shape = tuple(scan.photons.shape)
    if min(n // step for n, step in zip(shape, bin, strict=True)) < 2:
        raise UserError(f"bin={by(bin)} leaves next to nothing of a scan of {by(shape)} voxels: take a smaller bin")
    peak = peak_of(scan, how.threshold)
    edges = _measured_edges(scan.mask | scan.saturated)
    fits = tuple(_around(p - low, high - low, step) for p, (low, high), step in zip(peak, edges, bin, strict=True))
    if max(fits) < LEAST:
        raise UserError(
            f"bin={by(bin)} leaves {by(fits)} voxels of a scan of {by(shape)} around its peak at voxel {peak}: at "
            f"least {LEAST} along one axis are needed; take a smaller bin, or scan further"
        )
    cut = tuple(min(n, fit) for n, fit in zip(size, fits, strict=True))
    if isinstance(how.size, int) and any(fit > n for n, fit in zip(cut, fits, strict=True)):
        notes.append(
            Note.hint(
                f"{how.prefix}size={how.size} leaves out a part of the scan, which was measured over {by(fits)} voxels "
                f"(binned) evenly around its peak: {how.prefix}size=[{','.join(map(str, fits))}] takes all, for "
                "smaller voxels of the density"
            )
        )
    if cut != tuple(size) and isinstance(how.size, int):
        notes.append(
            Note.of(
                f"the scan holds {by(shape)} voxels, {by(fits)} (binned) evenly around its peak: cut to {by(cut)}, not "
                f"{by(size)}; three numbers as size pad it with voxels that nothing determines"
            )
        )
    return cut


def _measured_edges(mask: Tensor) -> list[tuple[int, int]]:
    """First and last + 1 measured plane along each axis of a mask (Z, Y, X)."""
    edges = []
    for axis in range(3):
        planes = mask.any(2 if axis < 2 else 0).any(1 - axis if axis < 2 else 0).nonzero()[:, 0]
        edges.append((int(planes.min()), int(planes.max()) + 1))
    return edges


def _around(peak: int, n: int, step: int) -> int:
    """Number of blocks of ``step`` voxels around ``peak`` within n voxels, even if there is a choice."""
    most = n // step
    while most > 1 and (peak < most * step // 2 or peak - most * step // 2 + most * step > n):
        most -= 1
    return most


def require_memory(size: Sequence[int], bin: Sequence[int], prefix: str = "data.preparation.") -> None:
    """Refuse a pattern whose four arrays before binning, in voxels, exceed the memory; UserError."""
    edges = [n * step for n, step in zip(size, bin, strict=True)]
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    needed = _BYTES * prod(edges)
    if needed > free:
        fits = int((free / _BYTES / prod(bin)) ** (1 / 3))
        raise UserError(
            f"{prefix}size={by(size)} with bin={by(bin)} needs {needed / 2**30:,.1f} GiB, "
            f"{free / 2**30:,.1f} GiB are available: {fits} x {fits} x {fits} would fit"
        )


def with_a_top(pattern: PreparedPattern) -> Tensor:
    """Photons (Z, Y, X) with a saturated middle as bright as the brightest voxel, for the autocorrelation."""
    middle = box_about_origin(pattern.photons.shape, _TOP)
    if bool(pattern.mask[tuple(n // 2 for n in pattern.mask.shape)]):
        return pattern.photons
    filled = pattern.photons.clone()
    filled[middle] = torch.where(pattern.mask[middle], filled[middle], filled.max())
    return filled


def by(numbers: Sequence[int]) -> str:
    """Text of edges, e.g. 64 x 64 x 64."""
    return " x ".join(str(int(number)) for number in numbers)


def _three(value: int | Sequence[int] | None) -> tuple[int, ...] | None:
    if value is None:
        return None
    return (value,) * 3 if isinstance(value, int) else tuple(int(part) for part in value)


def _require_whole(name: str, value: object) -> None:
    """Refuse a value that is not None, one whole number from 1 on, or three; UserError."""
    parts = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value] * 3
    if value is not None and not (len(parts) == 3 and all(isinstance(part, int) and part >= 1 for part in parts)):
        raise UserError(f"{name}={value}: give one whole number, or three for z, y, x, 1 or more")
