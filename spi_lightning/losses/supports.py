"""Losses of 2D supports and densities: squared error, pixel-wise cross-entropy, penalty of too small supports."""

import torch
import torch.nn.functional as F
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


def support_cross_entropy(logits: Tensor, target: Tensor, positive_weight: float = 1.0) -> Tensor:
    """Mean over pixels of the weighted binary cross-entropy: (..., H, W), (..., H, W) -> (...).

    Args:
        logits: (..., H, W) logits of being inside the support.
        target: (..., H, W) support, any dtype, or a density in [0, 1].
        positive_weight: Weight of a pixel inside; above 1 a missed pixel costs more than an excess one.

    Source: Bellisario & Ekeberg (2024), Sect. 2, loss (1); the weight, not in the paper, has the aim of loss (3).
    """
    target = target.to(logits.dtype)
    weight = logits.new_tensor(positive_weight)
    return F.binary_cross_entropy_with_logits(logits, target, pos_weight=weight, reduction="none").mean(dim=(-2, -1))


TINY = 1e-6  # of the pixels: keeps the soft form finite where nothing is predicted


def support_penalty(
    predicted: Tensor, target: Tensor, predicted_value: Tensor, target_value: Tensor, gamma: float
) -> Tensor:
    """Support penalty: (predicted values outside the truth + gamma * true values missed) / predicted values.

    With S the predicted and S^ the true support: 1 / sum_S y^ [sum_(S - S^) y^ + gamma sum_(S^ - S) y]. (In print S is
    the true and S^ the estimated support: then y is summed over pixels where it is 0, so that gamma does nothing, and
    an empty estimate costs nothing.)

    Args:
        predicted, target: (..., H, W) bool, predicted and true supports.
        predicted_value, target_value: (..., H, W) densities, or the supports themselves.
        gamma: Cost of a missed pixel over that of an excess one.

    Returns:
        (...); infinite where nothing is predicted.

    Source: Bellisario & Ekeberg (2024), Eq. 1, with its labels exchanged.
    """
    predicted_value, target_value = predicted_value.float(), target_value.float()
    loose = (predicted_value * (predicted & ~target)).sum(dim=(-2, -1))
    missed = (target_value * (target & ~predicted)).sum(dim=(-2, -1))
    total = (predicted_value * predicted).sum(dim=(-2, -1))
    return torch.where(total > 0, (loose + gamma * missed) / total, torch.inf)


def soft_support_penalty(
    output: Tensor, target: Tensor, gamma: float = 5.0, logits: bool = True, level: float = 0.1, width: float = 0.02
) -> Tensor:
    """Support penalty with memberships between 0 and 1, for training: (..., H, W), (..., H, W) -> (...).

    From logits the membership is their sigmoid m, every value is 1, and the support penalty becomes
    [sum m (1 - t) + gamma sum (1 - m) t] / sum m. From a density d, m = sigmoid((d / max d - level) / width), and the
    values are d and the true density.

    It is flat for untrained networks and steep near the all-zero output: start from weights trained with the
    cross-entropy.

    Args:
        output: (..., H, W) logits or density.
        target: (..., H, W) support, or density whose support is where it exceeds ``level`` of its maximum.
        gamma: Cost of a missed pixel over that of an excess one.
        logits: Whether the output is logits; else a density.
        level, width: Threshold of the density relative to its maximum, and softness of that threshold.

    Source: Bellisario & Ekeberg (2024), Eq. 1, see support_penalty.
    """
    target = target.to(output.dtype)
    inside = (target > level * target.amax(dim=(-2, -1), keepdim=True)).to(output.dtype)
    if logits:
        member, value, true_value = output.sigmoid(), torch.ones_like(output), torch.ones_like(target)
    else:
        value = output.clamp(min=0)
        peak = value.amax(dim=(-2, -1), keepdim=True).clamp(min=TINY)
        member, true_value = ((value / peak - level) / width).sigmoid(), target
    loose = (value * member * (1 - inside)).sum(dim=(-2, -1))
    missed = (true_value * (1 - member) * inside).sum(dim=(-2, -1))
    total = (value * member).sum(dim=(-2, -1))
    return (loose + gamma * missed) / (total + TINY * output.shape[-1] * output.shape[-2])
