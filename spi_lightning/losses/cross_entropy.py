"""Cross-entropy of several classes."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor

from spi_lightning.errors import UserError


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
