"""Weights that the package brings, each with its model card: what it was trained on, its numbers, and its limits."""

from spi_lightning.tasks.checkpoint_files import shipped_names

from .card import ModelCard, Result, read_card
from .shipping import ensemble_of, ship, write_card

__all__ = ["ModelCard", "Result", "ensemble_of", "read_card", "ship", "shipped_names", "write_card"]
