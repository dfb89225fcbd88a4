"""Pixel-wise cross-entropy of a support."""

import torch.nn.functional as F
from torch import Tensor


def support_cross_entropy(logits: Tensor, target: Tensor, positive_weight: float = 1.0) -> Tensor:
    """Mean over pixels of the weighted binary cross-entropy: (..., H, W), (..., H, W) -> (...).

    Args:
        logits: Of being inside the support.
        target: Support, any dtype, or a density in [0, 1].
        positive_weight: How many times a pixel inside counts: above 1 a missed pixel costs more than one too many.

    Source: Bellisario & Ekeberg (2024), Sect. 2, loss (1); the weight is ours, for what their loss (3) is after.
    """
    target = target.to(logits.dtype)
    weight = logits.new_tensor(positive_weight)
    return F.binary_cross_entropy_with_logits(logits, target, pos_weight=weight, reduction="none").mean(dim=(-2, -1))
