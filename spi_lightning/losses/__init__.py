"""Loss functions with one value per pattern, (B, ...) -> (B,)."""

from .binary_cross_entropy import binary_cross_entropy
from .correlation import correlation_loss
from .cross_entropy import cross_entropy
from .density_prior import DensityPrior
from .generalised_cross_entropy import generalised_cross_entropy
from .log_chi_square import log_chi_square
from .poisson import poisson_deviance
from .relative_rms import relative_rms
from .squared_error import squared_error
from .support_cross_entropy import support_cross_entropy
from .support_penalty import soft_support_penalty, support_penalty
from .weighted_sum import FourierLoss, SupervisedLoss, UnsupervisedLoss

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
