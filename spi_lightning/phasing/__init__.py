"""Phase retrieval: constraints, updates, recipes, the engine that runs them, averages and polish of its runs.

Tensors in, tensors out; no files, no networks. Everything outside the hot loop has its origin at n // 2.
"""

from spi_lightning.phasing.recipes.recipe import Recipe, read_recipe
from spi_lightning.physics.fourier import with_phase_noise

from .align import Alignment, align, alignment, translate
from .average import Averaged, average
from .engine import Phased, phase
from .held_out import hold_out
from .start import random_phases

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
