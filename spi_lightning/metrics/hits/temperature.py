"""Temperature scaling, which calibrates the probabilities of a network."""

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

BOUNDS = (0.05, 20.0)


def fit_temperature(logits: Tensor, target: Tensor) -> float:
    """Temperature T of least cross-entropy of sigmoid or softmax of logits / T.

    Args:
        logits: (N,) logits of a single hit, or (N, classes).
        target: (N,) int64 labels; patterns with negative ones are left out.

    Returns:
        T, limited to BOUNDS, which a set without errors would leave; 1 without labels.

    Source: Guo et al. (2017), Sect. 4.2, arXiv 1706.04599.
    """
    known = target >= 0
    logits, target = logits[known].double().cpu(), target[known].cpu()
    if len(target) == 0:
        return 1.0
    # log(1 + exp(-margin / T)) for one logit; several logits relative to that of the label, whose softplus this is.
    if logits.ndim == 1:
        margin = (logits * (1 - 2 * target))[:, None]
    else:
        margin = logits - logits.gather(1, target[:, None])
        margin = margin.scatter(1, target[:, None], -torch.inf)
    rows = margin.numpy()
    rows = rows[np.lexsort(rows.T)]  # so that the order of batches and processes does not change the sum

    def cross_entropy(log_temperature: float) -> float:
        scaled = np.pad(rows / np.exp(log_temperature), ((0, 0), (1, 0)))
        return float(np.logaddexp.reduce(scaled, axis=1).mean())

    return float(np.exp(minimize_scalar(cross_entropy, bounds=np.log(BOUNDS), method="bounded").x))


class Temperature(Metric):
    """Temperature over all patterns of all processes, see fit_temperature."""

    logits: list[Tensor]
    target: list[Tensor]
    full_state_update = False

    def __init__(self) -> None:
        super().__init__()
        self.add_state("logits", [], dist_reduce_fx="cat")
        self.add_state("target", [], dist_reduce_fx="cat")

    def update(self, logits: Tensor, target: Tensor) -> None:
        """Add logits (B,) or (B, classes) and targets (B,)."""
        self.logits.append(logits.detach())
        self.target.append(target)

    def compute(self) -> Tensor:
        """Temperature of all patterns so far, a scalar."""
        return torch.tensor(fit_temperature(dim_zero_cat(self.logits), dim_zero_cat(self.target)))
