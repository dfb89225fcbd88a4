"""From particles to intensities to photons, batched on any device. Files are written elsewhere (data)."""

from .crystals import CrystalRecipe
from .dislocations import DislocationRecipe
from .ewald_transform import EwaldTransform, Experiment
from .hits import Brightness, GeometryRecipe, HitSimulator
from .literal import LiteralHitSimulator
from .macromolecule import MacromoleculeSimulator
from .macromolecule_diffraction import MacromoleculeDiffractionSimulator
from .measurement import Measurement
from .optics import BadPixels, Optics
from .phase_field import PhaseRecipe
from .projected_map import Projection
from .scenes import ParticleRecipe, SceneRecipe
from .superellipsoid import SuperellipsoidRecipe
from .volumes import VolumeNoise, VolumeSimulator

__all__ = [
    "BadPixels",
    "Brightness",
    "CrystalRecipe",
    "DislocationRecipe",
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
    "PhaseRecipe",
    "Projection",
    "SceneRecipe",
    "SuperellipsoidRecipe",
    "VolumeNoise",
    "VolumeSimulator",
]
