"""Simulation of particles, intensities and photons, batched on any device; data writes the files."""

from typing import TYPE_CHECKING

from spi_lightning import lazily

if TYPE_CHECKING:
    from spi_lightning.simulate.canonical.counting import CountingRecipe
    from spi_lightning.simulate.canonical.detectors import DetectorRecipe
    from spi_lightning.simulate.canonical.experiment import CanonicalGeometry
    from spi_lightning.simulate.canonical.hits import CanonicalHitSimulator
    from spi_lightning.simulate.canonical.light import BackgroundRecipe
    from spi_lightning.simulate.canonical.like_file import LikeFileSimulator
    from spi_lightning.simulate.canonical.mixture import LabelledFrames, Mixture
    from spi_lightning.simulate.macromolecules.diffraction import MacromoleculeDiffractionSimulator
    from spi_lightning.simulate.macromolecules.ewald_transform import EwaldTransform, Experiment
    from spi_lightning.simulate.macromolecules.macromolecule import MacromoleculeSimulator, Projection
    from spi_lightning.simulate.particles.crystals import CrystalRecipe, DislocationRecipe
    from spi_lightning.simulate.particles.lumps import Lumps
    from spi_lightning.simulate.particles.phase_field import PhaseRecipe
    from spi_lightning.simulate.particles.superellipsoid import Superellipsoid, SuperellipsoidRecipe

    from .hits import Brightness, GeometryRecipe, HitSimulator
    from .literal import LiteralHitSimulator
    from .measurement import Measurement
    from .optics import BadPixels, Optics
    from .scenes import ParticleRecipe, SceneRecipe
    from .volumes import VolumeNoise, VolumeSimulator

__all__ = [
    "BackgroundRecipe",
    "BadPixels",
    "Brightness",
    "CanonicalGeometry",
    "CanonicalHitSimulator",
    "CountingRecipe",
    "CrystalRecipe",
    "DetectorRecipe",
    "DislocationRecipe",
    "EwaldTransform",
    "Experiment",
    "GeometryRecipe",
    "HitSimulator",
    "LabelledFrames",
    "LikeFileSimulator",
    "LiteralHitSimulator",
    "Lumps",
    "MacromoleculeDiffractionSimulator",
    "MacromoleculeSimulator",
    "Measurement",
    "Mixture",
    "Optics",
    "ParticleRecipe",
    "PhaseRecipe",
    "Projection",
    "SceneRecipe",
    "Superellipsoid",
    "SuperellipsoidRecipe",
    "VolumeNoise",
    "VolumeSimulator",
]

__getattr__ = lazily(__name__)
