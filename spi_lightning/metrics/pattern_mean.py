"""Mean of one number per pattern."""

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat


class PatternMean(Metric):
    """Mean over all patterns of all processes; sorted before the sum, so that batches do not change a bit."""

    value: list[Tensor]
    full_state_update = False

    def __init__(self) -> None:
        super().__init__()
        self.add_state("value", [], dist_reduce_fx="cat")

    def update(self, value: Tensor) -> None:
        """Add one value (B,) per pattern; B may be 0."""
        self.value.append(value.detach())

    def compute(self) -> Tensor:
        """Mean over all patterns, a scalar; NaN without patterns."""
        values = dim_zero_cat(self.value) if len(self.value) else torch.zeros(0)
        return values.double().sort().values.mean().float()
