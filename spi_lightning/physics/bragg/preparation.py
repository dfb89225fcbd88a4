"""From a stack of rocking frames to one 3D pattern: corrections, threshold, centring, binning and cropping."""

from dataclasses import dataclass, field, replace
from typing import Any, Final

import torch
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.notes import Note
from spi_lightning.physics.hole_filling import fill_holes

from .empty_lines import find_empty
from .frame_correction import add_note, correct_frames, saturated_voxels
from .frame_exposure import find_copies, find_exposures
from .hot_voxels import find_hot
from .peak import BORDER, find_centre, find_peak, refuse_border

_NEAR: Final = 4  # voxels from the peak within which a hole may hide its top
_FAINTEST: Final = 1e-9  # of the largest relative intensity: what is taken as one photon is no fainter
_FILLED: Final = 64  # edge of the part around it that is filled then


@dataclass
class PreparedPattern:
    """A 3D pattern ready for phasing and what was done to it.

    Attributes:
        photons: (Z, Y, X) float32, 0 where mask is False; the peak lies at n // 2.
        mask: (Z, Y, X) bool, True = measured.
        bins: Voxels of the scan that were added along z, y, x.
        peak: Index (frame, row, column) of the peak in the scan.
        notes: One line for each thing that a user should know.
        counted: Whether the values are photons; else relative intensities.
        poisson: Whether their noise is that of whole counts, neither divided by a response nor cut by a threshold.
        threshold, dropped: Counts at or below became 0, and how many photons of the whole scan these were.
    """

    photons: Tensor
    mask: Tensor
    bins: tuple[int, int, int]
    peak: tuple[int, int, int]
    notes: list[Note] = field(default_factory=list)
    counted: bool = True
    poisson: bool = True
    threshold: float = 0.0
    dropped: float = 0.0

    @property
    def origin(self) -> tuple[float, float, float]:
        """Place (frame, row, column) in the scan of the middle of voxel n // 2, from which q is counted.

        Whole numbers are middles of the scan's voxels. It is the peak, or, where voxels were added, in its block.
        """
        frame, row, column = (
            place - n * step // 2 + n // 2 * step + (step - 1) / 2
            for place, n, step in zip(self.peak, self.photons.shape, self.bins, strict=True)
        )
        return frame, row, column

    @property
    def fourier_amplitude(self) -> Tensor:
        """Square root of the photons, (Z, Y, X) float32."""
        return self.photons.sqrt()


@dataclass
class CorrectedScan:
    """Counts of a whole scan after all corrections that do not depend on how it is cut.

    Attributes:
        photons: (frames, rows, columns) float32, 0 where mask is False.
        mask: Bool, True = measured.
        saturated: Bool, not measured as too bright.
        counted: Whether the counts as read are whole numbers, so photons; else they are relative intensities.
        divided: Whether they were divided by a whitefield or a monitor, so that they are whole numbers no more.
        notes: One line for each correction.
    """

    photons: Tensor
    mask: Tensor
    saturated: Tensor
    counted: bool
    divided: bool
    notes: list[Note] = field(default_factory=list)

    def leave_out(self, bad: Tensor) -> None:
        """Take more voxels as not measured."""
        self.mask = self.mask & ~bad
        self.saturated = self.saturated & ~bad
        self.photons = torch.where(self.mask, self.photons, 0.0)

    @property
    def unit(self) -> float:
        """One photon, or the least positive of relative intensities."""
        lit = self.photons[self.photons > 0]
        return 1.0 if self.counted or not len(lit) else max(float(lit.min()), _FAINTEST * float(lit.max()))

    @property
    def with_tops(self) -> Tensor:
        """Photons, saturated voxels as bright as the brightest."""
        return torch.where(self.saturated, self.photons.max(), self.photons)


def require_axes(counts: Tensor) -> None:
    """UserError for what is no scan (frames, rows, columns), or too short along an axis to hold a peak."""
    if counts.ndim != 3 or min(counts.shape) < 2 * BORDER + 1:
        raise UserError(f"a scan of shape {tuple(counts.shape)}: (frames, rows, columns) of at least 5 each are needed")


def correct(
    counts: Tensor,
    whitefield: Tensor | None = None,
    bad_pixels: Tensor | None = None,
    dark: Tensor | None = None,
    monitor: Tensor | None = None,
    whitefield_mean: float | None = None,
    saturation: float | None = None,
    normalise: bool = False,
    told: bool = False,
    defects: bool = True,
) -> CorrectedScan:
    """Correct the counts of a scan; leave out dropped frames, dead lines, hot pixels and zingers if ``defects``.

    Args:
        counts: (frames, rows, columns).
        whitefield, bad_pixels, dark, monitor, whitefield_mean, saturation, normalise, told: See correct_frames.
        defects: Whether to look for them; False: every finite count is taken as measured.

    Raises:
        UserError: Not three axes, or nothing measured.
    """
    require_axes(counts)
    finite = counts[torch.isfinite(counts) & (counts >= 0)]
    counted = bool((finite == finite.round()).all())
    photons, mask, notes = correct_frames(
        counts,
        whitefield,
        bad_pixels,
        dark,
        monitor,
        whitefield_mean,
        saturation=saturation,
        normalise=normalise,
        told=told,
    )
    saturated = saturated_voxels(counts, saturation, bad_pixels)
    scan = CorrectedScan(photons, mask, saturated, counted, whitefield is not None or normalise, notes)
    if not counted:
        notes.append(
            Note.of(
                "the counts are not whole numbers: taken as relative intensities, so nothing is said of photon noise"
            )
        )
    if defects:
        _leave_out_defects(scan)
    return scan


def _leave_out_defects(scan: CorrectedScan) -> None:
    """Whole frames first, in which all voxels seem hot; then hot voxels, as an empty line beside one is none."""
    if not bool((scan.photons > 0).any()):
        return
    unit = scan.unit
    for find in (find_copies, find_exposures, find_hot, find_empty):
        found, notes = find(scan.with_tops, scan.mask | scan.saturated, unit)
        scan.leave_out(found)
        scan.notes += notes


def prepare(
    counts: Tensor,
    size: int | tuple[int, int, int] = 64,
    bins: int | tuple[int, int, int] = 1,
    threshold: float = 0.0,
    **corrections: Any,
) -> PreparedPattern:
    """Make a 3D pattern of a rocking scan: correct, apply the threshold, centre, bin, cut.

    Args:
        counts: (frames, rows, columns).
        size, bins, threshold: See cut_out.
        corrections: See correct.

    Raises:
        UserError: Not three axes, nothing measured, no photons, or a peak at the border of the scan.
    """
    scan = correct(counts, **corrections)
    pattern = cut_out(scan, size, bins, threshold)
    return replace(pattern, notes=[*scan.notes, *pattern.notes])


def cut_out(
    scan: CorrectedScan,
    size: int | tuple[int, ...] = 64,
    bins: int | tuple[int, ...] = 1,
    threshold: float = 0.0,
) -> PreparedPattern:
    """Apply the threshold, centre, bin and cut a corrected scan.

    Args:
        scan: See correct.
        size: Edge of the result, voxel; one number or one for each axis.
        bins: Voxels added along each axis; see oversampling.suggest_bins for what the data allows.
        threshold: Corrected counts at or below become 0 (they were measured: the mask stays True).

    Raises:
        UserError: No photons, or a peak at the border of the scan.
    """
    sizes, steps = _three(size, "size"), _three(bins, "bins")
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
        UserError: No photons, or a peak at the border of the scan.
    """
    photons = torch.where(scan.photons > threshold, scan.photons, 0.0)
    unit = scan.unit
    peak = find_centre(photons, scan.saturated, scan.mask, unit)
    near = tuple(slice(max(0, place - _NEAR), place + _NEAR + 1) for place in peak)
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
    if clipped.any():  # the rest of a block says nothing of its brightest voxel
        mask = mask & ~bin_voxels(clipped.float(), torch.ones_like(clipped), steps)[0].bool()
        photons = torch.where(mask, photons, 0.0)
    return photons, mask


def cut_around(volume: Tensor, centre: tuple[int, int, int], sizes: tuple[int, int, int]) -> Tensor:
    """Cut (Z, Y, X) so that ``centre`` becomes n // 2 of ``sizes``; 0 or False where the cut leaves the array."""
    cut = volume.new_zeros(sizes)
    source, target = [], []
    for middle, size, n in zip(centre, sizes, volume.shape, strict=True):
        start = middle - size // 2
        low, high = max(0, start), min(n, start + size)
        source.append(slice(low, high))
        target.append(slice(low - start, high - start))
    cut[tuple(target)] = volume[tuple(source)]
    return cut


def bin_voxels(photons: Tensor, mask: Tensor, bins: tuple[int, int, int]) -> tuple[Tensor, Tensor]:
    """Add up blocks of voxels: (Z, Y, X) -> (Z / bz, Y / by, X / bx) photons and mask.

    Blocks that were measured in part are scaled to their full volume; those less than half are not measured.
    """
    block = (
        len(photons) // bins[0],
        bins[0],
        photons.shape[1] // bins[1],
        bins[1],
        photons.shape[2] // bins[2],
        bins[2],
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
