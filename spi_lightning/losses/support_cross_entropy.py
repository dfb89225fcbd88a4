"""Pixel-wise binary cross-entropy of a support."""

import torch.nn.functional as F
from torch import Tensor


def support_cross_entropy(logits: Tensor, target: Tensor, positive_weight: float = 1.0) -> Tensor:
    """Mean over pixels of the weighted binary cross-entropy: (..., H, W), (..., H, W) -> (...).

    Args:
        logits: (..., H, W) logits of being inside the support.
        target: (..., H, W) support, any dtype, or a density in [0, 1].
        positive_weight: Weight of a pixel inside; above 1 a missed pixel costs more than an excess one.

    Source: Bellisario & Ekeberg (2024), Sect. 2, loss (1); the weight is ours, with the aim of their loss (3).
    """
    target = target.to(logits.dtype)
    weight = logits.new_tensor(positive_weight)
    return F.binary_cross_entropy_with_logits(logits, target, pos_weight=weight, reduction="none").mean(dim=(-2, -1))
