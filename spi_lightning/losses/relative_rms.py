"""Relative root mean square error in real space (losses L1 and L2 of Wu et al., 2021)."""

import torch
from torch import Tensor


def relative_rms(predicted: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
    """Relative error sqrt(sum (p - t)^2) / sqrt(sum t^2) over the voxels of ``mask``: (B, ...) -> (B,).

    Args:
        predicted, target: (B, ...) amplitudes (1) or phases (any unit common to both).
        mask: (B, ...) bool, True in the voxels to compare; None: all.

    Returns:
        (B,); 0 for a perfect prediction, 1 for an empty one. The gradient at 0 is 0.

    Source: Wu et al. (2021), Eq. 6, terms L1 (amplitude) and L2 (phase).
    """
    difference = predicted - target
    if mask is not None:
        difference, target = mask * difference, mask * target
    tiny = torch.finfo(target.dtype).tiny
    error, norm = difference.flatten(1).square().sum(1), target.flatten(1).square().sum(1)
    return (error.clamp_min(tiny) / norm.clamp_min(tiny)).sqrt()
