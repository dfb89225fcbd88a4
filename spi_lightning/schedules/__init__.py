"""What changes with the epoch: learning rates, which optimiser works, weights of losses."""

from spi_lightning.schedules.alternate_every import AlternateEvery
from spi_lightning.schedules.loss_weight import ConstantWeight, WeibullWeight
from spi_lightning.schedules.rise_and_fall import rise_and_fall
from spi_lightning.schedules.step_decay import step_decay

__all__ = ["AlternateEvery", "ConstantWeight", "WeibullWeight", "rise_and_fall", "step_decay"]
