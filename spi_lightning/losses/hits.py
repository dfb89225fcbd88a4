"""Losses of labels: cross-entropies of one logit or one for each class, and one robust against wrong labels."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor

from spi_lightning.errors import UserError


def require_one_logit(logits: Tensor, loss: str) -> None:
    """Refuse logits that are not (B,); UserError."""
    if logits.ndim != 1:
        raise UserError(
            f"loss={loss} takes one logit per pattern, got {tuple(logits.shape)}: choose loss=cross_entropy"
        )


def binary_cross_entropy(
    logits: Tensor, is_single_hit: Tensor, positive_weight: float = 1.0, smoothing: float = 0.0
) -> Tensor:
    """Binary cross-entropy of single hits: (B,), (B,) -> (B,).

    Args:
        logits: (B,) logits, one per pattern.
        is_single_hit: (B,) labels, 1 or 0, any dtype.
        positive_weight: Weight of a single hit; above 1 where single hits are rare.
        smoothing: Label smoothing: 1 becomes 1 - smoothing / 2, 0 becomes smoothing / 2.

    Raises:
        UserError: There is more than one logit per pattern.

    Source: Shi et al. (2019), supplementary S1; smoothing from Szegedy et al. (2016), Sect. 7.
    """
    require_one_logit(logits, "binary_cross_entropy")
    target = is_single_hit.to(logits.dtype)
    weight = 1 + (positive_weight - 1) * target if positive_weight != 1 else None
    return F.binary_cross_entropy_with_logits(
        logits, target * (1 - smoothing) + smoothing / 2, weight=weight, reduction="none"
    )


def cross_entropy(
    logits: Tensor, kind: Tensor, class_weight: Sequence[float] | None = None, smoothing: float = 0.0
) -> Tensor:
    """Softmax cross-entropy: logits (B, classes), kind (B,) int64 -> (B,).

    Args:
        logits: (B, classes) logits of each pattern.
        kind: (B,) int64 class of each pattern.
        class_weight: Weight of each class; None: 1 for all.
        smoothing: Share of the label spread evenly over all classes.

    Raises:
        UserError: There is one logit per pattern, or the number of weights is not that of classes.

    Source: Han & Li (2017), Eq. 2, whose missing exponential is a misprint; smoothing: Szegedy et al. (2016), Sect. 7.
    """
    if logits.ndim != 2:
        raise UserError("loss=cross_entropy takes several classes (task.classes=5): choose loss=binary_cross_entropy")
    if class_weight is not None and len(class_weight) != logits.shape[1]:
        raise UserError(f"loss.class_weight has {len(class_weight)} values for {logits.shape[1]} classes")
    weight = None if class_weight is None else logits.new_tensor(list(class_weight))
    return F.cross_entropy(logits, kind, weight=weight, label_smoothing=smoothing, reduction="none")


def generalised_cross_entropy(logits: Tensor, target: Tensor, q: float = 0.7) -> Tensor:
    """Generalised cross-entropy (1 - p^q) / q, p the probability of the label: (B,) or (B, classes), (B,) -> (B,).

    It interpolates between cross-entropy (q -> 0) and absolute error (q = 1), so that patterns with improbable labels
    have small gradients. For hand-labelled frames, on which people disagree.

    Source: Zhang & Sabuncu (2018), Eq. 6, arXiv 1805.07836.
    """
    if logits.ndim == 1:
        log_probability = F.logsigmoid(logits * (2 * target.to(logits.dtype) - 1))
    else:
        log_probability = logits.log_softmax(dim=1).gather(1, target[:, None]).squeeze(1)
    return -(q * log_probability).expm1() / q
