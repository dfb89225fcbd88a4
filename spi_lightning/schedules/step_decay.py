"""A learning rate that falls by steps."""

from torch.optim import Optimizer
from torch.optim.lr_scheduler import StepLR


def step_decay(optimizer: Optimizer, period: int = 25, decay: float = 0.95) -> StepLR:
    """Multiply the learning rate by ``decay`` after every ``period`` epochs.

    Source: Wu et al. (2021), Methods: 0.95 every 25 (supervised) or 200 (unsupervised) epochs, the switching apart.
    """
    return StepLR(optimizer, step_size=period, gamma=decay)
