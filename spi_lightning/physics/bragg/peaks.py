"""Position of the Bragg peak of a scan, and parasitic peaks ("aliens") of other crystals, dark under inversion."""

from typing import Final

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.notes import Note

BORDER: Final = 2  # a peak nearer than this to the border of the scan was not scanned through
_NOISE: Final = 3.0  # standard deviations
_BRIDGED: Final = 5  # voxels of a line that closes gaps one shorter
_GROUP: Final = 4  # touching saturated voxels from which they are the top of a peak, not hot pixels


def find_peak(photons: Tensor, unit: float = 1.0) -> tuple[int, int, int]:
    """Voxel of the Bragg peak: a bright one in the brightest 3 x 3 x 3 voxels, since one hot voxel is not a peak.

    Among those as bright as the brightest within photon noise, the one whose 3 x 3 x 3 voxels hold most photons.

    Args:
        photons: (Z, Y, X) counts, 0 where not measured.
        unit: One photon, or the least positive value of relative intensities.

    Raises:
        UserError: The scan holds no photons.
    """
    if photons.max() <= 0:
        raise UserError(
            "the scan holds no photons above the threshold: lower data.threshold (data.preparation.threshold of "
            "data=one_scan), which relative intensities need at 0, or check the file"
        )
    around = F.avg_pool3d(photons[None, None], 3, stride=1, padding=1)[0, 0]
    voxel = [int(i) for i in torch.unravel_index(around.argmax(), photons.shape)]
    near = tuple(slice(max(0, i - 1), i + 2) for i in voxel)
    top = photons[near].max()
    bright = photons[near] >= top - _NOISE * (top * unit).sqrt()
    inner = torch.unravel_index(torch.where(bright, around[near], -1.0).argmax(), bright.shape)
    z, y, x = (part.start + int(i) for part, i in zip(near, inner, strict=True))
    return (z, y, x)


def find_centre(photons: Tensor, saturated: Tensor, mask: Tensor, unit: float = 1.0) -> tuple[int, int, int]:
    """Voxel of the peak of (Z, Y, X): middle of the largest group of saturated voxels, or the result of find_peak.

    Where the top of the peak is not measured, the brightest measured voxel lies at its rim. Gaps of dropped frames
    and dead lines between saturated voxels belong to the group.
    """
    if int(saturated.sum()) >= _GROUP:
        full = saturated.cpu().numpy()
        hidden = ~(mask | saturated).cpu().numpy()
        lines = (np.ones([_BRIDGED if other == axis else 1 for other in range(3)]) for axis in range(3))
        closed = [ndimage.binary_closing(full, line) & hidden for line in lines] if hidden.any() else []
        labels, _ = ndimage.label(np.logical_or.reduce([full, *closed]), np.ones((3, 3, 3)))
        sizes = np.bincount(labels.ravel())[1:]
        if sizes.max() >= _GROUP:
            z, y, x = ndimage.center_of_mass(labels == 1 + int(sizes.argmax()))
            return (round(z), round(y), round(x))
    return find_peak(photons, unit)


def refuse_border(peak: tuple[int, int, int], shape: torch.Size) -> None:
    """Refuse a peak (frame, row, column) at the border of a scan of ``shape`` voxels; UserError."""
    for name, index, n in zip(("frame", "row", "column"), peak, shape, strict=True):
        if not BORDER <= index < n - BORDER:
            raise UserError(
                f"the peak is at {name} {index} of {n}, the border of the scan: scan or crop so that it is inside"
            )


def find_parasitic_peaks(
    photons: Tensor,
    mask: Tensor,
    peak: tuple[int, int, int],
    contrast: float = 12.0,
    photons_least: float = 40.0,
    core: int = 6,
    reach: int = 3,
) -> tuple[Tensor, list[Note]]:
    """Find peaks without a counterpart under inversion about the Bragg peak.

    A crystal without strain has I(-q) = I(q); strain moves fringes by a few voxels and changes their height, but does
    not leave one side dark. So the photons in 3 x 3 x 3 voxels are compared with the brightest such sum around the
    inverted voxel. Voxels whose partner was not measured are never marked.

    Args:
        photons: (Z, Y, X) corrected counts.
        mask: (Z, Y, X) bool, True = measured.
        peak: Voxel of the Bragg peak, about which the pattern is inverted.
        contrast: Least ratio of a parasitic peak to its partner.
        photons_least: Least photons in 3 x 3 x 3 voxels of a parasitic peak.
        core: Half edge of a cube around the Bragg peak that is never marked, voxel.
        reach: Largest shift of a partner, and margin marked around a parasitic peak, voxel.

    Returns:
        (Z, Y, X) bool, True in parasitic peaks, and one note for each of the brightest eight.
    """
    around = _summed_around(torch.where(mask, photons, 0.0))
    partner, known = _inverted(around, peak), _inverted(mask.float(), peak) > 0
    widest = _largest_around(partner, reach)
    suspect = known & mask & (around > photons_least) & (around > contrast * (widest + 1))
    suspect[tuple(slice(max(0, p - core), p + core + 1) for p in peak)] = False
    if not suspect.any():
        return suspect, []
    marked = _largest_around(suspect.float(), reach) > 0
    labels, count = ndimage.label(marked.cpu().numpy())
    numbers = range(1, count + 1)
    totals = ndimage.sum_labels(photons.cpu().numpy(), labels, numbers)
    voxels = ndimage.maximum_position(around.cpu().numpy(), labels, numbers)
    order = sorted(range(count), key=lambda i: -float(totals[i]))
    notes = [
        Note.of(
            f"peak of another crystal at voxel {tuple(int(p) for p in voxels[i])}, {totals[i]:,.0f} photons: "
            "taken as not measured"
        )
        for i in order[:8]
    ]
    if count > 8:
        notes.append(Note.of(f"{count - 8} weaker peaks of other crystals: taken as not measured"))
    return marked, notes


def _inverted(volume: Tensor, peak: tuple[int, int, int]) -> Tensor:
    """Inverted pattern v(2 peak - r) on the same grid, 0 where that lies outside."""
    flipped = volume.flip((0, 1, 2))
    result = torch.zeros_like(volume)
    source, target = [], []
    for index, n in zip(peak, volume.shape, strict=True):
        shift = 2 * index - (n - 1)  # flipped[i - shift] = volume[2 peak - i]
        low, high = max(0, shift), min(n, n + shift)
        target.append(slice(low, high))
        source.append(slice(low - shift, high - shift))
    result[tuple(target)] = flipped[tuple(source)]
    return result


def _largest_around(volume: Tensor, reach: int) -> Tensor:
    """Largest value within a cube of 2 reach + 1 voxels, one axis after the other."""
    result = volume[None, None]
    for axis in range(3):
        size, pad = [1, 1, 1], [0, 0, 0]
        size[axis], pad[axis] = 2 * reach + 1, reach
        result = F.max_pool3d(result, size, 1, pad)
    return result[0, 0]


def _summed_around(volume: Tensor) -> Tensor:
    """Sum over 3 x 3 x 3 voxels, one axis after the other."""
    for axis in range(3):
        pad = [0] * 6
        pad[5 - 2 * axis] = pad[4 - 2 * axis] = 1
        wide, n = F.pad(volume, pad), volume.shape[axis]
        volume = wide.narrow(axis, 0, n) + wide.narrow(axis, 1, n) + wide.narrow(axis, 2, n)
    return volume
