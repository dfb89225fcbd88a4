"""Optimisers beyond those of torch: alternating members, kernel penalty, penalised L-BFGS."""

from .adam import adam
from .alternating import Alternating

__all__ = ["Alternating", "adam"]
