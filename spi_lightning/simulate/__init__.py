"""From particles to intensities to photons, batched on any device. Files are written elsewhere (data)."""

from .hits import Brightness, GeometryRecipe, HitSimulator
from .literal import LiteralHitSimulator
from .macromolecule import MacromoleculeSimulator, Projection
from .measurement import Measurement
from .optics import BadPixels, Optics
from .scenes import ParticleRecipe, SceneRecipe

__all__ = [
    "BadPixels",
    "Brightness",
    "GeometryRecipe",
    "HitSimulator",
    "LiteralHitSimulator",
    "MacromoleculeSimulator",
    "Measurement",
    "Optics",
    "ParticleRecipe",
    "Projection",
    "SceneRecipe",
]
