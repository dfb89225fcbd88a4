"""Optimisers beyond those of torch: alternating members, kernel penalty, penalised L-BFGS."""

from .alternating import Alternating
from .penalised import adam

__all__ = ["Alternating", "adam"]
