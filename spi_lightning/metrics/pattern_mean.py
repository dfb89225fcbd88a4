"""The mean of one number per pattern."""

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat


class PatternMean(Metric):
    """Mean over all patterns of all processes; sorted before the sum, so batches do not show, to the last bit."""

    value: list[Tensor]
    full_state_update = False

    def __init__(self) -> None:
        super().__init__()
        self.add_state("value", [], dist_reduce_fx="cat")

    def update(self, value: Tensor) -> None:
        """Add patterns: (B,), maybe none."""
        self.value.append(value.detach())

    def compute(self) -> Tensor:
        """The mean, a scalar; NaN without patterns."""
        values = dim_zero_cat(self.value) if len(self.value) else torch.zeros(0)
        return values.double().sort().values.mean().float()
