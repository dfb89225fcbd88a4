"""Binary cross-entropy of one logit per pattern."""

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
