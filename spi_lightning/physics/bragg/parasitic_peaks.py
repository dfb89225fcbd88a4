"""Peaks of other crystals in a rocking scan: bright where the pattern's own inversion is dark."""

import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor

from spi_lightning.notes import Note


def find_aliens(
    photons: Tensor,
    mask: Tensor,
    peak: tuple[int, int, int],
    contrast: float = 12.0,
    photons_least: float = 40.0,
    core: int = 6,
    reach: int = 3,
) -> tuple[Tensor, list[Note]]:
    """Mark what no inversion partner explains.

    A crystal without strain has I(-q) = I(q); strain moves fringes by a few voxels and changes their height, but does
    not leave one side dark. So the photons in 3 x 3 x 3 voxels are compared with the brightest such sum around the
    inverted place. Places whose partner was not measured are not judged.

    Args:
        photons: (Z, Y, X) corrected counts.
        mask: (Z, Y, X) bool.
        peak: Voxel about which to invert.
        contrast: How many times brighter than its partner an alien is.
        photons_least: Photons in 3 x 3 x 3 voxels below which nothing is judged.
        core: Half edge of a cube around the peak that is never touched, voxel.
        reach: How far a partner may have moved, and how far around an alien is marked, voxel.

    Returns:
        (Z, Y, X) bool, True where alien, and one note for each alien; the brightest eight are listed.
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
    places = ndimage.maximum_position(around.cpu().numpy(), labels, numbers)
    order = sorted(range(count), key=lambda i: -float(totals[i]))
    notes = [
        Note.of(
            f"peak of another crystal at voxel {tuple(int(p) for p in places[i])}, {totals[i]:,.0f} photons: "
            "taken as not measured"
        )
        for i in order[:8]
    ]
    if count > 8:
        notes.append(Note.of(f"{count - 8} weaker peaks of other crystals: taken as not measured"))
    return marked, notes


def _inverted(volume: Tensor, peak: tuple[int, int, int]) -> Tensor:
    """v(2 peak - r) on the same grid, 0 where that lies outside."""
    flipped = volume.flip((0, 1, 2))
    result = torch.zeros_like(volume)
    source, target = [], []
    for place, n in zip(peak, volume.shape, strict=True):
        shift = 2 * place - (n - 1)  # flipped[i - shift] = volume[2 peak - i]
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
