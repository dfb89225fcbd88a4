"""Weights that the package brings, each with its model card: what it was trained on, its numbers, and its limits."""

from typing import TYPE_CHECKING

from spi_lightning import lazily

if TYPE_CHECKING:
    from spi_lightning.tasks.checkpoint_files import shipped_names

    from .card import ModelCard, Result, read_card
    from .held_out import held_out_numbers
    from .shipping import ensemble_of, ship, write_card

__all__ = ["ModelCard", "Result", "ensemble_of", "held_out_numbers", "read_card", "ship", "shipped_names", "write_card"]

__getattr__ = lazily(__name__)
