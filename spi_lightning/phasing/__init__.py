"""Phase retrieval: constraints, updates, recipes, the engine that runs them, and what is made of its runs.

Tensors in, tensors out; no files, no networks. Everything outside the hot loop has its origin at n // 2.
"""

from spi_lightning.phasing.align import Alignment, align, alignment, translate
from spi_lightning.phasing.average import Averaged, average
from spi_lightning.phasing.engine import Phased, phase
from spi_lightning.phasing.held_out import hold_out
from spi_lightning.phasing.recipe import Recipe, read_recipe
from spi_lightning.phasing.start import random_phases
from spi_lightning.physics.phase_noise import with_phase_noise

__all__ = [
    "Alignment",
    "Averaged",
    "Phased",
    "Recipe",
    "align",
    "alignment",
    "average",
    "hold_out",
    "phase",
    "random_phases",
    "read_recipe",
    "translate",
    "with_phase_noise",
]
