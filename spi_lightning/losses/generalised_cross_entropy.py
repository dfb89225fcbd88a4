"""A loss that mislabelled patterns cannot dominate."""

import torch.nn.functional as F
from torch import Tensor


def generalised_cross_entropy(logits: Tensor, target: Tensor, q: float = 0.7) -> Tensor:
    """(1 - p^q) / q with p the probability given to the label: logits (B,) or (B, classes), target (B,) -> (B,).

    It goes from cross-entropy (q -> 0) to the absolute error (q = 1), which no single wrong label can drive far: a
    pattern the network is sure to be mislabelled hardly pulls. Meant for hand-labelled frames, where people disagree.

    Source: Zhang & Sabuncu (2018), Eq. 6, arXiv 1805.07836.
    """
    if logits.ndim == 1:
        log_probability = F.logsigmoid(logits * (2 * target.to(logits.dtype) - 1))
    else:
        log_probability = logits.log_softmax(dim=1).gather(1, target[:, None]).squeeze(1)
    return -(q * log_probability).expm1() / q
