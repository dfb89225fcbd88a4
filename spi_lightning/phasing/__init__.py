"""Phase retrieval: constraints, updates, recipes, the engine that runs them, and what is made of its runs.

Tensors in, tensors out; no files, no networks. Everything outside the hot loop has its origin at n // 2.
"""

from spi_lightning.phasing.engine import Phased, phase
from spi_lightning.phasing.recipe import Recipe, read_recipe
from spi_lightning.phasing.start import autocorrelation_support, random_phases, with_phase_noise

__all__ = [
    "Phased",
    "Recipe",
    "autocorrelation_support",
    "phase",
    "random_phases",
    "read_recipe",
    "with_phase_noise",
]
