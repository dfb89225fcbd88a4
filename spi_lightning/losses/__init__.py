"""Loss functions with one value per pattern."""

from spi_lightning.losses.binary_cross_entropy import binary_cross_entropy
from spi_lightning.losses.correlation import correlation_loss
from spi_lightning.losses.cross_entropy import cross_entropy
from spi_lightning.losses.density_prior import DensityPrior
from spi_lightning.losses.generalised_cross_entropy import generalised_cross_entropy
from spi_lightning.losses.log_chi_square import log_chi_square
from spi_lightning.losses.poisson import poisson_deviance
from spi_lightning.losses.relative_rms import relative_rms
from spi_lightning.losses.squared_error import squared_error
from spi_lightning.losses.support_cross_entropy import support_cross_entropy
from spi_lightning.losses.support_penalty import soft_support_penalty, support_penalty
from spi_lightning.losses.weighted_sum import FourierLoss, SupervisedLoss, UnsupervisedLoss

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
