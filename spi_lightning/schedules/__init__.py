"""Schedules over epochs: learning rates, the active optimiser, weights of losses."""

from .learning_rate import AlternateEvery, rise_and_fall, step_decay
from .weibull_weight import ConstantWeight, WeibullWeight

__all__ = ["AlternateEvery", "ConstantWeight", "WeibullWeight", "rise_and_fall", "step_decay"]
