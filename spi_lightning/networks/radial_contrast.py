"""Contrast of a pattern against its own radial mean, an input channel of networks."""

import torch
import torch.nn.functional as F
from torch import Tensor

from spi_lightning.errors import UserError

_FLOOR = 0.3  # photons added to both, so that single photons in empty rings do not stand out more than fringes


def radial_contrast(pattern: Tensor) -> Tensor:
    """Logarithm of photons over their mean at the same radius, which takes out the fall from the centre to the edge.

    Args:
        pattern: (B, 2, H, W) log(1 + photons), and the mask, 1 where measured; the beam is in the middle.

    Returns:
        (B, 1, H, W) log((photons + 0.3) / (mean + 0.3)), 0 where not measured. The mean is over the measured pixels of
        rings of one pixel width.
    """
    height, width = pattern.shape[-2:]
    photons, mask = pattern[:, :1].expm1(), pattern[:, 1:2]
    ring = _rings(height, width, pattern)
    total = (photons * mask).flatten(2) @ ring
    mean = total / (mask.flatten(2) @ ring).clamp_min(1)
    smooth = (mean @ ring.T).view_as(photons)
    contrast: Tensor = ((photons + _FLOOR) / (smooth + _FLOOR)).log() * mask
    return contrast


def require_mask(in_channels: int) -> None:
    """Raise UserError unless a network that makes the contrast takes two channels, logarithm and mask."""
    if in_channels != 2:
        raise UserError(
            f"network.contrast=true needs the mask: set network.in_channels=2, not {in_channels}, and"
            " preprocess.mask_channel=true"
        )


def _rings(height: int, width: int, like: Tensor) -> Tensor:
    """Membership of pixels in rings, (H * W, R), 1 where the rounded distance from the middle is that of the ring."""
    y = torch.arange(height, device=like.device) - (height - 1) / 2
    x = torch.arange(width, device=like.device) - (width - 1) / 2
    radius = (y[:, None].square() + x.square()).sqrt().round().long()  # ONNX has no hypot
    rings = int(((height / 2) ** 2 + (width / 2) ** 2) ** 0.5) + 2
    return F.one_hot(radius.flatten(), rings).to(like.dtype)
