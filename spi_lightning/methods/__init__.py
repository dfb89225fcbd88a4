"""Methods of evaluation: checkpoints, baselines and phasing under one protocol.

A method answers a part of a question by a HitAnswer or a SupportAnswer, arrays of one entry per frame, or by
VolumeRuns. Tables, pictures and selection lists are made elsewhere.
"""

from typing import TYPE_CHECKING

from spi_lightning import lazily

if TYPE_CHECKING:
    from spi_lightning.baselines.map_selection import ByDistance, InBox, InPolygon

    from .choice import MethodLibrary
    from .hits.checkpoint import CheckpointMethod
    from .hits.diffusion_map import DiffusionMap
    from .hits.frozen_features import FrozenFeatures
    from .hits.graph_cut import GraphCut
    from .hits.photon_count import PhotonCount
    from .hits.references import Reference
    from .supports.autocorrelation import (
        AutocorrelationSupport,
        DoubleIntersection,
        TripleIntersection,
    )
    from .supports.batches import SupportMethod
    from .supports.checkpoint import Healed, SupportCheckpoint
    from .supports.shrinkwrap import ShrinkwrapSupport
    from .volumes.iterative import GradientVolume, IterativeVolume
    from .volumes.network import RefinedNetwork, RefinementSettings, Then, VolumeCheckpoint

__all__ = [
    "AutocorrelationSupport",
    "ByDistance",
    "CheckpointMethod",
    "DiffusionMap",
    "DoubleIntersection",
    "FrozenFeatures",
    "GradientVolume",
    "GraphCut",
    "Healed",
    "InBox",
    "InPolygon",
    "IterativeVolume",
    "MethodLibrary",
    "PhotonCount",
    "Reference",
    "RefinedNetwork",
    "RefinementSettings",
    "ShrinkwrapSupport",
    "SupportCheckpoint",
    "SupportMethod",
    "Then",
    "TripleIntersection",
    "VolumeCheckpoint",
]

__getattr__ = lazily(__name__)
