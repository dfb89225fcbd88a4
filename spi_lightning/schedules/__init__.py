"""Schedules over epochs: learning rates, the active optimiser, weights of losses."""

from .alternate_every import AlternateEvery
from .loss_weight import ConstantWeight, WeibullWeight
from .rise_and_fall import rise_and_fall
from .step_decay import step_decay

__all__ = ["AlternateEvery", "ConstantWeight", "WeibullWeight", "rise_and_fall", "step_decay"]
