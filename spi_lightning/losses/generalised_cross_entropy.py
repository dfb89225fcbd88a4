"""Generalised cross-entropy, which is robust against wrong labels."""

import torch.nn.functional as F
from torch import Tensor


def generalised_cross_entropy(logits: Tensor, target: Tensor, q: float = 0.7) -> Tensor:
    """Generalised cross-entropy (1 - p^q) / q, p the probability of the label: (B,) or (B, classes), (B,) -> (B,).

    It interpolates between cross-entropy (q -> 0) and absolute error (q = 1), so that patterns with improbable labels
    have small gradients. Meant for hand-labelled frames, on which people disagree.

    Source: Zhang & Sabuncu (2018), Eq. 6, arXiv 1805.07836.
    """
    if logits.ndim == 1:
        log_probability = F.logsigmoid(logits * (2 * target.to(logits.dtype) - 1))
    else:
        log_probability = logits.log_softmax(dim=1).gather(1, target[:, None]).squeeze(1)
    return -(q * log_probability).expm1() / q
