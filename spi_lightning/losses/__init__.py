"""Loss functions with one value per pattern."""

from spi_lightning.losses.binary_cross_entropy import binary_cross_entropy
from spi_lightning.losses.cross_entropy import cross_entropy
from spi_lightning.losses.generalised_cross_entropy import generalised_cross_entropy

__all__ = ["binary_cross_entropy", "cross_entropy", "generalised_cross_entropy"]
