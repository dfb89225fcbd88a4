"""Parasitic peaks ("aliens") of other crystals in a rocking scan: bright where the inverted pattern is dark."""

import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor

from spi_lightning.notes import Note


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
