"""Position of the Bragg peak of a scan, saturated or not."""

from typing import Final

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor

from spi_lightning.errors import UserError

BORDER: Final = 2  # a peak nearer than this to the border of the scan was not scanned through
_NOISE: Final = 3.0  # standard deviations
_BRIDGED: Final = 5  # voxels of a line that closes gaps one shorter
_GROUP: Final = 4  # touching saturated voxels from which they are the top of a peak, not hot pixels


def find_peak(photons: Tensor, unit: float = 1.0) -> tuple[int, int, int]:
    """Voxel of the Bragg peak: a bright one in the brightest 3 x 3 x 3 voxels, since one hot voxel is no peak.

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
