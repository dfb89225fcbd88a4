"""Preparation of a 3D pattern from a rocking scan: threshold, centring, binning and cropping."""

from dataclasses import dataclass, field, replace
from typing import Any, Final

import torch
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.notes import Note
from spi_lightning.physics.array import cut_around
from spi_lightning.physics.hole_filling import fill_holes

from .corrected_scan import CorrectedScan, correct
from .frame_correction import add_note
from .peaks import find_centre, find_peak, refuse_border

_NEAR: Final = 4  # voxels from the peak within which a hole may hide its top
_FILLED: Final = 64  # edge of the part around the peak whose holes are filled


@dataclass
class PreparedPattern:
    """3D pattern ready for phasing, with the record of its preparation.

    Attributes:
        photons: (Z, Y, X) float32, 0 where mask is False; the peak lies at n // 2.
        mask: (Z, Y, X) bool, True = measured.
        bin: Voxels of the scan binned along z, y, x.
        peak: Index (frame, row, column) of the peak in the scan.
        notes: Notes on the scan and its preparation.
        counted: Whether the values are photons; else relative intensities.
        poisson: Whether the noise is that of whole counts, neither divided by a response nor cut by a threshold.
        threshold: Largest count that became 0.
        dropped: Photons of the whole scan that the threshold removed.
    """

    photons: Tensor
    mask: Tensor
    bin: tuple[int, int, int]
    peak: tuple[int, int, int]
    notes: list[Note] = field(default_factory=list)
    counted: bool = True
    poisson: bool = True
    threshold: float = 0.0
    dropped: float = 0.0

    @property
    def origin(self) -> tuple[float, float, float]:
        """Position (frame, row, column) in the scan of the middle of voxel n // 2, the origin of q.

        Whole numbers are middles of the scan's voxels. It is the peak or, after binning, lies in its block.
        """
        frame, row, column = (
            index - n * step // 2 + n // 2 * step + (step - 1) / 2
            for index, n, step in zip(self.peak, self.photons.shape, self.bin, strict=True)
        )
        return frame, row, column

    @property
    def fourier_amplitude(self) -> Tensor:
        """Square root of the photons, (Z, Y, X) float32."""
        return self.photons.sqrt()


def prepare(
    counts: Tensor,
    size: int | tuple[int, int, int] = 64,
    bin: int | tuple[int, int, int] = 1,
    threshold: float = 0.0,
    **corrections: Any,
) -> PreparedPattern:
    """Prepare a 3D pattern from the counts of a rocking scan: correct, apply the threshold, centre, bin, cut.

    Args:
        counts: (frames, rows, columns) counts as read.
        size, bin, threshold: Cut of the pattern, as in cut_out.
        corrections: Further arguments of corrected_scan.correct.

    Raises:
        UserError: The counts have not three axes, nothing was measured, there are no photons, or the peak is at the
            border of the scan.
    """
    scan = correct(counts, **corrections)
    pattern = cut_out(scan, size, bin, threshold)
    return replace(pattern, notes=[*scan.notes, *pattern.notes])


def cut_out(
    scan: CorrectedScan,
    size: int | tuple[int, ...] = 64,
    bin: int | tuple[int, ...] = 1,
    threshold: float = 0.0,
) -> PreparedPattern:
    """Apply the threshold, centre, bin and cut a corrected scan.

    Args:
        scan: Corrected scan, see corrected_scan.correct.
        size: Edge of the result, voxel; one number or one for each axis.
        bin: Voxels binned along each axis; oversampling.suggest_bin gives what the data allows.
        threshold: Corrected counts at or below become 0 (they were measured: the mask stays True).

    Raises:
        UserError: There are no photons, or the peak is at the border of the scan.
    """
    sizes, steps = _three(size, "size"), _three(bin, "bin")
    notes: list[Note] = []
    photons = torch.where(scan.photons > threshold, scan.photons, 0.0)
    dropped, total = float((scan.photons - photons).double().sum()), float(scan.photons.double().sum())
    if threshold > 0:
        voxels = int((scan.photons > 0).sum() - (photons > 0).sum())
        what = "photons" if scan.counted else "of the intensity"
        notes.append(
            Note.of(
                f"threshold={threshold:g}: {voxels:,} voxels with counts at or below {threshold:g} become 0, which "
                f"drops {dropped:,.6g} {what} of {total:,.6g} ({dropped / max(total, 1e-30):.1%})"
            )
        )
    peak = peak_of(scan, threshold)
    cut, mask = _cut_and_binned(photons, scan.mask, scan.saturated, peak, sizes, steps)
    add_note(notes, (~mask).sum(), f"of {mask.numel()} voxels were not measured and are left free")
    whole = scan.counted and not scan.divided and dropped == 0
    return PreparedPattern(cut, mask, steps, peak, notes, scan.counted, whole, threshold, dropped)


def peak_of(scan: CorrectedScan, threshold: float = 0.0) -> tuple[int, int, int]:
    """Voxel (frame, row, column) of the peak, also where its top was not measured: holes around it are filled first.

    Raises:
        UserError: There are no photons, or the peak is at the border of the scan.
    """
    photons = torch.where(scan.photons > threshold, scan.photons, 0.0)
    unit = scan.unit
    peak = find_centre(photons, scan.saturated, scan.mask, unit)
    near = tuple(slice(max(0, index - _NEAR), index + _NEAR + 1) for index in peak)
    if not scan.saturated[near].any() and not scan.mask[near].all():
        frames, rows, columns = (min(n, _FILLED) for n in photons.shape)
        sizes = (frames, rows, columns)
        filled = fill_holes(cut_around(photons, peak, sizes), cut_around(scan.mask, peak, sizes))
        frame, row, column = (at + p - n // 2 for at, n, p in zip(find_peak(filled, unit), sizes, peak, strict=True))
        peak = (frame, row, column)
    refuse_border(peak, photons.shape)
    return peak


def _cut_and_binned(
    photons: Tensor,
    mask: Tensor,
    saturated: Tensor,
    peak: tuple[int, int, int],
    sizes: tuple[int, int, int],
    steps: tuple[int, int, int],
) -> tuple[Tensor, Tensor]:
    """Photons and mask of the given sizes, the peak in voxel n // 2; blocks with a saturated voxel are not measured.

    Rolling instead would put one side of the pattern behind the other; beyond the scan nothing was measured.
    """
    whole = (sizes[0] * steps[0], sizes[1] * steps[1], sizes[2] * steps[2])
    photons, mask, clipped = (cut_around(volume, peak, whole) for volume in (photons, mask, saturated))
    photons, mask = bin_voxels(photons, mask, steps)
    if clipped.any():  # the rest of a block does not determine its brightest voxel
        mask = mask & ~bin_voxels(clipped.float(), torch.ones_like(clipped), steps)[0].bool()
        photons = torch.where(mask, photons, 0.0)
    return photons, mask


def bin_voxels(photons: Tensor, mask: Tensor, bin: tuple[int, int, int]) -> tuple[Tensor, Tensor]:
    """Bin voxels: sums over blocks, (Z, Y, X) -> (Z / bz, Y / by, X / bx) photons and mask.

    Blocks that were measured in part are scaled to their full volume; those less than half are not measured.
    """
    block = (
        len(photons) // bin[0],
        bin[0],
        photons.shape[1] // bin[1],
        bin[1],
        photons.shape[2] // bin[2],
        bin[2],
    )
    total = torch.where(mask, photons, 0.0).reshape(block).sum((1, 3, 5))
    share = mask.reshape(block).float().mean((1, 3, 5))
    measured = share >= 0.5
    return torch.where(measured, total / share.clamp_min(0.5), 0.0), measured


def _three(value: int | tuple[int, ...], name: str) -> tuple[int, int, int]:
    """One number for each axis."""
    three = (value,) * 3 if isinstance(value, int) else tuple(int(part) for part in value)
    if len(three) != 3 or min(three) < 1:
        raise UserError(f"{name}={value}: give one whole number, or three for z, y, x, 1 or more")
    return (three[0], three[1], three[2])
