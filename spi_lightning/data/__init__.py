"""Datasets, transforms, splits and one DataModule per kind of batch."""

from spi_lightning.data.hits import HitDataModule, HitDataset, PatternBatches
from spi_lightning.data.one_frame import Measurement, measure_frame
from spi_lightning.data.one_scan import measure_scan
from spi_lightning.data.pattern_input import PatternInput
from spi_lightning.data.simulated_hits import OnlineHits, SimulatedHitDataModule
from spi_lightning.data.simulated_supports import OnlineSupports, SimulatedSupportDataModule
from spi_lightning.data.splits import split_by_particle
from spi_lightning.data.structure_splits import StructureSource
from spi_lightning.data.supports import SupportDataModule, SupportDataset
from spi_lightning.data.transforms import Preprocess

__all__ = [
    "HitDataModule",
    "HitDataset",
    "Measurement",
    "OnlineHits",
    "OnlineSupports",
    "PatternBatches",
    "PatternInput",
    "Preprocess",
    "SimulatedHitDataModule",
    "SimulatedSupportDataModule",
    "StructureSource",
    "SupportDataModule",
    "SupportDataset",
    "measure_frame",
    "measure_scan",
    "split_by_particle",
]
