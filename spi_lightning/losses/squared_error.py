"""Squared error of a density, relative to the true density or as a mean over pixels."""

import torch
from torch import Tensor


def squared_error(output: Tensor, target: Tensor, relative: bool = True, logits: bool = False) -> Tensor:
    """Squared error over pixels: (..., H, W), (..., H, W) -> (...).

    Relative, sum (p - t)^2 / sum t^2, every pattern has equal weight, and an all-zero output costs 1. The mean over
    pixels is that of the paper: proteins fill few pixels, so an all-zero output costs little, and networks may stay
    there.

    Args:
        output: (..., H, W) density or logits.
        target: (..., H, W) density or support, any dtype.
        relative: Whether to divide by the sum of squares of the target instead of the number of pixels.
        logits: Whether the output is logits, whose sigmoid is compared.

    Source: Bellisario & Ekeberg (2024), Sect. 2, loss (2).
    """
    target = target.to(output.dtype)
    square = ((output.sigmoid() if logits else output) - target).square()
    if not relative:
        return square.mean(dim=(-2, -1))
    power = target.square().sum(dim=(-2, -1))
    return square.sum(dim=(-2, -1)) / torch.where(power > 0, power, 1.0)
