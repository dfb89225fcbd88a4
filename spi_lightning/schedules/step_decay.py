"""Learning rate that falls in steps."""

from torch.optim import Optimizer
from torch.optim.lr_scheduler import StepLR


def step_decay(optimizer: Optimizer, period: int = 25, decay: float = 0.95) -> StepLR:
    """Schedule that multiplies the learning rate by ``decay`` after every ``period`` epochs.

    Source: Wu et al. (2021), Methods: 0.95 every 25 (supervised) or 200 (unsupervised) epochs, without the switching.
    """
    return StepLR(optimizer, step_size=period, gamma=decay)
