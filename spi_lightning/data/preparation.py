"""How a scan becomes a pattern: the settings, and the bins and size that its photons support."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, prod
from typing import Final

import torch
from torch import Tensor

from spi_lightning.fields import UserError
from spi_lightning.io.bragg_scan import BraggScan
from spi_lightning.physics.bragg_preparation import PreparedPattern, prepare
from spi_lightning.physics.oversampling import estimate_oversampling, suggest_bins, suggest_size

_BYTES = 16  # for each voxel of a pattern before binning
_TOP = 4  # voxels from the middle within which those not measured are taken as a saturated peak's
LEAST: Final = 5  # voxels along the longest axis of a pattern


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


def bins_and_size(
    scan: BraggScan, how: Preparation, corrections: Mapping[str, object], notes: list[str]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """What was asked for, or what the autocorrelation of the whole scan supports."""
    bins, size = _three(how.bins), _three(how.size)
    guessed = bins is None or size is None
    if bins is None or size is None:
        whole = prepare(scan.counts, tuple(scan.counts.shape), 1, how.threshold, **corrections)  # type: ignore[arg-type]
        found = estimate_oversampling(with_a_top(whole))
        notes.append(f"the scan as measured: {found}")
        bins = bins or suggest_bins(found, how.least_oversampling)
        size = size or suggest_size(whole.photons, bins)
    if isinstance(how.size, int):
        size = _without_padding(how.size, bins, scan.counts.shape, notes)
    if guessed:
        notes.append(f"binned {by(bins)} and cut to {by(size)}, as its oversampling and photons allow")
    return bins, size


def _without_padding(size: int, bins: Sequence[int], shape: Sequence[int], notes: list[str]) -> tuple[int, ...]:
    """A cube; no larger than a scan that is smaller than asked along all axes, as nothing was measured around it.

    Raises:
        UserError: Bins that leave next to nothing of the scan.
    """
    room = max(n // max(1, step) for n, step in zip(shape, bins, strict=True))
    if room < LEAST and max(bins) == 1:
        raise UserError(f"a scan of {by(shape)} voxels is too small: at least {LEAST} along one axis are needed")
    if room < LEAST:
        raise UserError(f"bins {by(bins)} leave {room} voxels of a scan of {by(shape)}: take fewer")
    if room >= size:
        return (size,) * 3
    notes.append(f"the scan holds {by(shape)} voxels: cut to {room}, not {size}; three numbers as size pad it")
    return (room,) * 3


def require_memory(size: Sequence[int], bins: Sequence[int]) -> None:
    """Raise UserError where the pattern before binning, four such arrays at once, would fill the memory."""
    edges = [n * step for n, step in zip(size, bins, strict=True)]
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    needed = _BYTES * prod(edges)
    if needed > free:
        fits = int((free / _BYTES / prod(bins)) ** (1 / 3))
        raise UserError(
            f"data.preparation.size={by(size)} with bins {by(bins)} needs {needed / 2**30:,.1f} GiB, "
            f"{free / 2**30:,.1f} GiB are to be had: {fits} x {fits} x {fits} would fit"
        )


def with_a_top(pattern: PreparedPattern) -> Tensor:
    """Its photons (Z, Y, X), a saturated middle as bright as the brightest voxel: for the autocorrelation."""
    middle = tuple(slice(max(0, n // 2 - _TOP), n // 2 + _TOP + 1) for n in pattern.photons.shape)
    if bool(pattern.mask[tuple(n // 2 for n in pattern.mask.shape)]):
        return pattern.photons
    filled = pattern.photons.clone()
    filled[middle] = torch.where(pattern.mask[middle], filled[middle], filled.max())
    return filled


def by(numbers: Sequence[int]) -> str:
    """Edges in words, e.g. 64 x 64 x 64."""
    return " x ".join(str(int(number)) for number in numbers)


def _three(value: int | Sequence[int] | None) -> tuple[int, ...] | None:
    if value is None:
        return None
    return (value,) * 3 if isinstance(value, int) else tuple(int(part) for part in value)


def _require_whole(name: str, value: object) -> None:
    """Raise UserError unless it is None, one whole number from 1 on, or three."""
    parts = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value] * 3
    if value is not None and not (len(parts) == 3 and all(isinstance(part, int) and part >= 1 for part in parts)):
        raise UserError(f"{name}={value}: give one whole number, or three for z, y, x, 1 or more")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
