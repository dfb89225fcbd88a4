"""The loss of Bellisario & Ekeberg (2024) against supports that are too small, and its differentiable form."""

import torch
from torch import Tensor

TINY = 1e-6  # of the pixels: keeps the soft form finite where nothing is predicted


def support_penalty(
    predicted: Tensor, target: Tensor, predicted_value: Tensor, target_value: Tensor, gamma: float
) -> Tensor:
    """(sum of predicted values outside the truth + gamma sum of true values missed) / sum of predicted values.

    With S the predicted and S^ the true support: 1 / sum_S y^ [sum_(S - S^) y^ + gamma sum_(S^ - S) y]. (In print S is
    the true and S^ the estimated support: then y is summed over pixels where it is 0, so that gamma does nothing, and
    an empty estimate costs nothing.)

    Args:
        predicted, target: (..., H, W) bool, supports.
        predicted_value, target_value: (..., H, W) densities, or the supports themselves.
        gamma: How much dearer a missed pixel is than one too many.

    Returns:
        (...); infinite where nothing is predicted, the worst there is.

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
    """The same with memberships between 0 and 1, for training: (..., H, W), (..., H, W) -> (...).

    From logits the membership is their sigmoid m, every value is 1, and the support penalty becomes
    [sum m (1 - t) + gamma sum (1 - m) t] / sum m. From a density d, m = sigmoid((d / max d - level) / width), and the
    values are d and the true density.

    It is flat where a network has yet to learn, and steep near the all-zero answer: start it from weights trained with
    the cross-entropy.

    Args:
        output: Logits or density.
        target: Support or density; inside is what exceeds ``level`` of the maximum, so a support is itself.
        gamma: How much dearer a missed pixel is than one too many.
        logits: Which of the two the output is.
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
