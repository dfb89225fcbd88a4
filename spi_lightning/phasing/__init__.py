"""Phase retrieval: constraints, updates, recipes, the engine that runs them, averages and polish of its runs.

Tensors in, tensors out; no files, no networks. Everything outside the hot loop has its origin at n // 2.
"""

from spi_lightning.physics.fourier import with_phase_noise

from .align import Alignment, Averaged, align, alignment, average, translate
from .checks import hold_out
from .engine import Phased, phase, random_phases
from .recipe import Recipe, read_recipe

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
