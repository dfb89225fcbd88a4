"""Hot and dead pixels of a detector, from the sum of many frames against the neighbours of each pixel."""

from dataclasses import dataclass
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

_BRIGHTER: Final = 6.0  # a hot pixel over the mean of its neighbours
_SURE: Final = 8.0  # standard deviations above it
_COUNTED: Final = 20.0  # photons that neighbours have counted on average where a pixel without any is dead
_REACH: Final = 2  # pixels along each axis that are neighbours
_LEAST_FRAMES: Final = 8
_MOST: Final = 0.02  # of the measured pixels; more are a structure of the light


@dataclass(frozen=True)
class BadPixels:
    """Pixels that look hot or dead, though the mask has them as measured.

    Attributes:
        hot, dead: (H, W) bool.
    """

    hot: Tensor
    dead: Tensor

    @property
    def count(self) -> int:
        """Number of such pixels."""
        return int(self.hot.sum() + self.dead.sum())


def find_bad_pixels(total: Tensor, mask: Tensor, frames: int) -> BadPixels:
    """Pixels far brighter than all around them, and pixels that counted nothing where their neighbours did.

    Args:
        total: (H, W) photons summed over frames, float64.
        mask: (H, W) bool, True = measured.
        frames: Number of frames; of fewer than eight no pixel is called bad.
    """
    none = torch.zeros_like(mask)
    if frames < _LEAST_FRAMES:
        return BadPixels(none, none)
    counted = torch.where(mask, total, 0.0)
    around, pixels = (_around(image) for image in (counted, mask.to(total)))
    mean = around / pixels.clamp_min(1)
    hot = mask & (counted > _BRIGHTER * mean + _SURE * (mean + 1).sqrt())
    hot[hot.clone()] = counted[hot] > 2 * _third_around(counted, hot)
    dead = mask & (counted == 0) & (mean >= _COUNTED) & (pixels >= 3)
    few = _MOST * float(mask.sum())
    return BadPixels(hot if float(hot.sum()) < few else none, dead if float(dead.sum()) < few else none)


def _around(image: Tensor) -> Tensor:
    """Sum of the neighbours of every pixel (H, W), itself left out."""
    edge = 2 * _REACH + 1
    return F.avg_pool2d(image[None, None], edge, 1, _REACH, divisor_override=1)[0, 0] - image


def _third_around(image: Tensor, chosen: Tensor) -> Tensor:
    """Third-brightest pixel around each of the chosen (n,), itself counted: one or two hot ones do not hide a third."""
    edge = 2 * _REACH + 1
    row, column = chosen.nonzero(as_tuple=True)
    step = torch.arange(edge)
    padded = F.pad(image, [_REACH] * 4)
    windows = padded[(row[:, None] + step)[:, :, None], (column[:, None] + step)[:, None, :]].flatten(1)
    return windows.kthvalue(edge**2 - 2, dim=1).values
