"""Squared error of a density, relative to the density itself or plain."""

import torch
from torch import Tensor


def squared_error(output: Tensor, target: Tensor, relative: bool = True, logits: bool = False) -> Tensor:
    """Squared error over pixels: (..., H, W), (..., H, W) -> (...).

    Relative, sum (p - t)^2 / sum t^2, every pattern counts alike and an all-zero answer costs 1. Plain, the mean over
    pixels, as in the paper: proteins fill few pixels, so an all-zero answer costs little and networks may stay there.

    Args:
        output: Density, or logits.
        target: Density or support, any dtype.
        relative: Divide by the sum of squares of the target instead of the number of pixels.
        logits: The sigmoid of the output is what is compared.

    Source: Bellisario & Ekeberg (2024), Sect. 2, loss (2).
    """
    target = target.to(output.dtype)
    square = ((output.sigmoid() if logits else output) - target).square()
    if not relative:
        return square.mean(dim=(-2, -1))
    power = target.square().sum(dim=(-2, -1))
    return square.sum(dim=(-2, -1)) / torch.where(power > 0, power, 1.0)
