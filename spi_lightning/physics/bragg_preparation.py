"""From a stack of rocking frames to one 3D pattern: corrections, threshold, centring, binning and cropping."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from spi_lightning.fields import UserError

from .bragg_peak import BORDER, find_centre, refuse_border
from .frame_correction import add_note, correct_frames, saturated_voxels


@dataclass
class PreparedPattern:
    """A 3D pattern ready for phasing and what was done to it.

    Attributes:
        photons: (Z, Y, X) float32, 0 where mask is False; the peak lies at n // 2.
        mask: (Z, Y, X) bool, True = measured.
        bins: Voxels of the scan that were added along z, y, x.
        peak: Index (frame, row, column) of the peak in the scan.
        notes: One line for each thing that a user should know.
    """

    photons: Tensor
    mask: Tensor
    bins: tuple[int, int, int]
    peak: tuple[int, int, int]
    notes: list[str] = field(default_factory=list)

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


def prepare(
    counts: Tensor,
    size: int | tuple[int, int, int] = 64,
    bins: int | tuple[int, int, int] = 1,
    threshold: float = 2.0,
    whitefield: Tensor | None = None,
    bad_pixels: Tensor | None = None,
    dark: Tensor | None = None,
    monitor: Tensor | None = None,
    whitefield_mean: float | None = None,
    saturation: float | None = None,
    normalise: bool = False,
    blemish: Tensor | None = None,
    told: bool = False,
) -> PreparedPattern:
    """Make a 3D pattern of a rocking scan: correct, apply the threshold, centre, bin, cut.

    Args:
        counts: (frames, rows, columns).
        size: Edge of the result, voxel; one number or one for each axis.
        bins: Voxels added along each axis; see oversampling.suggest_bins for what the data allows.
        threshold: Corrected counts at or below become 0 (they were measured: the mask stays True).
        blemish: (frames, rows, columns) bool, True where not to trust the scan, e.g. peaks of other crystals.
        whitefield, bad_pixels, dark, monitor, whitefield_mean, saturation, normalise, told: See
            correct_frames.

    Raises:
        UserError: Not three axes, nothing measured, no photons, or a peak at the border of the scan.
    """
    if counts.ndim != 3 or min(counts.shape) < 2 * BORDER + 1:
        raise UserError(f"a scan of shape {tuple(counts.shape)}: (frames, rows, columns) of at least 5 each are needed")
    sizes, steps = _three(size, "size"), _three(bins, "bins")
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
    if blemish is not None:
        mask = mask & ~blemish
    photons = torch.where(mask & (photons > threshold), photons, 0.0)
    peak = find_centre(photons, saturated)
    refuse_border(peak, photons.shape)
    photons, mask = _cut_and_binned(photons, mask, saturated, peak, sizes, steps)
    add_note(notes, (~mask).sum(), f"of {mask.numel()} voxels were not measured and are left free")
    return PreparedPattern(photons, mask, steps, peak, notes)


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


def _three(value: int | tuple[int, int, int], name: str) -> tuple[int, int, int]:
    """One number for each axis."""
    three = (value,) * 3 if isinstance(value, int) else tuple(int(part) for part in value)
    if len(three) != 3 or min(three) < 1:
        raise UserError(f"{name}={value}: give one whole number, or three for z, y, x, 1 or more")
    return (three[0], three[1], three[2])
