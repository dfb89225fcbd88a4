"""From particles to intensities to photons, batched on any device. Files are written elsewhere (data)."""

from .ewald_transform import EwaldTransform, Experiment
from .hits import Brightness, GeometryRecipe, HitSimulator
from .literal import LiteralHitSimulator
from .macromolecule import MacromoleculeSimulator, Projection
from .macromolecule_diffraction import MacromoleculeDiffractionSimulator
from .measurement import Measurement
from .optics import BadPixels, Optics
from .scenes import ParticleRecipe, SceneRecipe

__all__ = [
    "BadPixels",
    "Brightness",
    "EwaldTransform",
    "Experiment",
    "GeometryRecipe",
    "HitSimulator",
    "LiteralHitSimulator",
    "MacromoleculeDiffractionSimulator",
    "MacromoleculeSimulator",
    "Measurement",
    "Optics",
    "ParticleRecipe",
    "Projection",
    "SceneRecipe",
]
