"""Optimisers beyond those of torch: alternating members, kernel penalty, penalised L-BFGS."""

from .alternating import Alternating
from .kernel_penalty import adam

__all__ = ["Alternating", "adam"]
