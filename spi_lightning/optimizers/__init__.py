"""Optimisers beyond torch's own."""

from spi_lightning.optimizers.alternating import Alternating
from spi_lightning.optimizers.kernel_penalty import adam

__all__ = ["Alternating", "adam"]
