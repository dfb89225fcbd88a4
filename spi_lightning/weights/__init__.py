"""Weights that the package brings, each with its model card: what it was trained on, its numbers, and its limits."""

from .card import ModelCard, Result, read_card, shipped_names
from .shipping import ensemble_of, ship

__all__ = ["ModelCard", "Result", "ensemble_of", "read_card", "ship", "shipped_names"]
