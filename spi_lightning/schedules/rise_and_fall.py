"""Learning rate with a linear rise and a cosine fall."""

import math

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from spi_lightning.errors import UserError


def rise_and_fall(optimizer: Optimizer, epochs: int, rise: float = 0.1) -> LambdaLR:
    """Schedule that rises linearly over a share ``rise`` of the epochs, then falls along half a cosine.

    Args:
        optimizer: Optimiser whose lr is the largest rate.
        epochs: Number of epochs of the refinement; later ones stay at the lowest rate, a thousandth.
        rise: Share of the epochs in which the rate rises, 0 to 1.

    Raises:
        UserError: ``epochs`` is below 1, or ``rise`` is outside [0, 1).
    """
    if epochs < 1 or not 0 <= rise < 1:
        raise UserError(f"schedule: epochs={epochs} must be 1 or more and rise={rise:g} from 0 to below 1")
    top = rise * epochs

    def factor(epoch: int) -> float:
        if epoch < top:
            return (epoch + 1) / (top + 1)
        share = min((epoch - top) / (epochs - top), 1.0)
        return max((1 + math.cos(math.pi * share)) / 2, 1e-3)

    return LambdaLR(optimizer, factor)
