"""Datasets, transforms, splits and DataModules, one per kind of batch."""

from typing import TYPE_CHECKING

from spi_lightning import lazily

if TYPE_CHECKING:
    from spi_lightning.data.scale.scale_free import ScaleFree
    from spi_lightning.data.scans.known_object import KnownObject, count_known_object
    from spi_lightning.data.scans.preparation import Preparation
    from spi_lightning.data.scans.single_pattern import MeasuredPattern, measure_scan, read_pattern
    from spi_lightning.data.simulated.batches import OnlinePatterns
    from spi_lightning.data.simulated.data_modules import (
        SimulatedHitDataModule,
        SimulatedSupportDataModule,
        SimulatedVolumeDataModule,
    )
    from spi_lightning.data.simulated.making import cached_set, make_set

    from .hits import HitDataModule, HitDataset, PatternBatches
    from .measurement import Measurement
    from .one_frame import measure_frame
    from .pattern_input import PatternInput
    from .splits import StructureSource, split_by_particle
    from .supports import SupportDataModule, SupportDataset
    from .transforms import Preprocess
    from .volumes import VolumeDataModule, VolumeDataset

__all__ = [
    "HitDataModule",
    "HitDataset",
    "KnownObject",
    "MeasuredPattern",
    "Measurement",
    "OnlinePatterns",
    "PatternBatches",
    "PatternInput",
    "Preparation",
    "Preprocess",
    "ScaleFree",
    "SimulatedHitDataModule",
    "SimulatedSupportDataModule",
    "SimulatedVolumeDataModule",
    "StructureSource",
    "SupportDataModule",
    "SupportDataset",
    "VolumeDataModule",
    "VolumeDataset",
    "cached_set",
    "count_known_object",
    "make_set",
    "measure_frame",
    "measure_scan",
    "read_pattern",
    "split_by_particle",
]

__getattr__ = lazily(__name__)
