"""Where the Bragg peak of a scan lies, saturated or not."""

from typing import Final

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor

from spi_lightning.fields import UserError

BORDER: Final = 2  # a peak nearer than this to the border of the scan was not scanned through
_GROUP: Final = 4  # saturated voxels that touch and so are the top of a peak, and not hot pixels


def find_peak(photons: Tensor) -> tuple[int, int, int]:
    """Brightest voxel of the brightest 3 x 3 x 3 voxels: a single hot voxel is not a Bragg peak.

    Raises:
        UserError: No photons at all.
    """
    if photons.max() <= 0:
        raise UserError(
            "the scan holds no photons above the threshold: lower data.threshold (data.preparation.threshold of "
            "data=one_scan), which relative intensities need at 0, or check the file"
        )
    around = F.avg_pool3d(photons[None, None], 3, stride=1, padding=1)[0, 0]
    z, y, x = (int(i) for i in torch.unravel_index(around.argmax(), photons.shape))
    low = [max(0, i - 1) for i in (z, y, x)]
    near = photons[low[0] : z + 2, low[1] : y + 2, low[2] : x + 2]
    inner = torch.unravel_index(near.argmax(), near.shape)
    return (low[0] + int(inner[0]), low[1] + int(inner[1]), low[2] + int(inner[2]))


def find_centre(photons: Tensor, saturated: Tensor) -> tuple[int, int, int]:
    """The peak's voxel: the middle of the largest group of saturated voxels, or what find_peak says.

    Where the top of the peak is not measured, the brightest voxel left is somewhere at its rim.
    """
    if int(saturated.sum()) >= _GROUP:
        labels, _ = ndimage.label(saturated.cpu().numpy(), np.ones((3, 3, 3)))
        sizes = np.bincount(labels.ravel())[1:]
        if sizes.max() >= _GROUP:
            z, y, x = ndimage.center_of_mass(labels == 1 + int(sizes.argmax()))
            return (round(z), round(y), round(x))
    return find_peak(photons)


def refuse_border(peak: tuple[int, int, int], shape: torch.Size) -> None:
    """UserError for a peak (frame, row, column) at the border of a scan."""
    for name, place, n in zip(("frame", "row", "column"), peak, shape, strict=True):
        if not BORDER <= place < n - BORDER:
            raise UserError(
                f"the peak is at {name} {place} of {n}, the border of the scan: scan or crop so that it is inside"
            )
