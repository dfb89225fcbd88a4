"""Datasets, transforms, splits and one DataModule per kind of batch."""

from spi_lightning.data.hits import HitDataModule, HitDataset, PatternBatches
from spi_lightning.data.simulated_hits import OnlineHits, SimulatedHitDataModule
from spi_lightning.data.splits import split_by_particle
from spi_lightning.data.transforms import Preprocess

__all__ = [
    "HitDataModule",
    "HitDataset",
    "OnlineHits",
    "PatternBatches",
    "Preprocess",
    "SimulatedHitDataModule",
    "split_by_particle",
]
