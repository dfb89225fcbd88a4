"""Loss functions with one value per pattern, (B, ...) -> (B,)."""

from .density_prior import DensityPrior
from .hits import binary_cross_entropy, cross_entropy, generalised_cross_entropy
from .supports import soft_support_penalty, squared_error, support_cross_entropy, support_penalty
from .volumes import (
    FourierLoss,
    SupervisedLoss,
    UnsupervisedLoss,
    correlation_loss,
    log_chi_square,
    poisson_deviance,
    relative_rms,
)

__all__ = [
    "DensityPrior",
    "FourierLoss",
    "SupervisedLoss",
    "UnsupervisedLoss",
    "binary_cross_entropy",
    "correlation_loss",
    "cross_entropy",
    "generalised_cross_entropy",
    "log_chi_square",
    "poisson_deviance",
    "relative_rms",
    "soft_support_penalty",
    "squared_error",
    "support_cross_entropy",
    "support_penalty",
]
