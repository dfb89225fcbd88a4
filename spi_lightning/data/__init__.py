"""Datasets, transforms, splits and one DataModule per kind of batch."""

from spi_lightning.data.hits import HitDataModule, HitDataset, PatternBatches
from spi_lightning.data.known_object import KnownObject, count_known_object
from spi_lightning.data.one_frame import Measurement, measure_frame
from spi_lightning.data.one_scan import measure_scan
from spi_lightning.data.pattern_input import PatternInput
from spi_lightning.data.preparation import Preparation
from spi_lightning.data.simulated_hits import OnlineHits, SimulatedHitDataModule
from spi_lightning.data.simulated_supports import OnlineSupports, SimulatedSupportDataModule
from spi_lightning.data.simulated_volumes import OnlineVolumes, SimulatedVolumeDataModule
from spi_lightning.data.single_pattern import MeasuredPattern, SinglePatternDataModule, read_pattern
from spi_lightning.data.splits import split_by_particle
from spi_lightning.data.structure_splits import StructureSource
from spi_lightning.data.supports import SupportDataModule, SupportDataset
from spi_lightning.data.transforms import Preprocess
from spi_lightning.data.volume_set import make_volume_set
from spi_lightning.data.volumes import VolumeDataModule, VolumeDataset

__all__ = [
    "HitDataModule",
    "HitDataset",
    "KnownObject",
    "MeasuredPattern",
    "Measurement",
    "OnlineHits",
    "OnlineSupports",
    "OnlineVolumes",
    "PatternBatches",
    "PatternInput",
    "Preparation",
    "Preprocess",
    "SimulatedHitDataModule",
    "SimulatedSupportDataModule",
    "SimulatedVolumeDataModule",
    "SinglePatternDataModule",
    "StructureSource",
    "SupportDataModule",
    "SupportDataset",
    "VolumeDataModule",
    "VolumeDataset",
    "count_known_object",
    "make_volume_set",
    "measure_frame",
    "measure_scan",
    "read_pattern",
    "split_by_particle",
]
