"""Optimisers beyond torch's own."""

from .alternating import Alternating
from .kernel_penalty import adam

__all__ = ["Alternating", "adam"]
