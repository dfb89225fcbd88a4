"""Methods of evaluation: checkpoints, baselines and phasing under one protocol.

A method answers a part of a question by a HitAnswer or a SupportAnswer, arrays of one entry per frame, or by
VolumeRuns. Tables, pictures and selection lists are made elsewhere.
"""

from spi_lightning.baselines.map_selection import ByDistance, InBox, InPolygon
from spi_lightning.methods.choice import MethodLibrary
from spi_lightning.methods.hits.checkpoint import CheckpointMethod, find_checkpoints, run_name
from spi_lightning.methods.hits.diffusion_map import DiffusionMap
from spi_lightning.methods.hits.frozen_features import FrozenFeatures
from spi_lightning.methods.hits.graph_cut import GraphCut
from spi_lightning.methods.hits.labelled_subset import LabelledSubset
from spi_lightning.methods.hits.photon_count import PhotonCount
from spi_lightning.methods.hits.references import Reference
from spi_lightning.methods.supports.autocorrelation import (
    AutocorrelationSupport,
    DoubleIntersection,
    TripleIntersection,
)
from spi_lightning.methods.supports.batches import SupportMethod
from spi_lightning.methods.supports.checkpoint import Healed, SupportCheckpoint
from spi_lightning.methods.supports.shrinkwrap import ShrinkwrapSupport
from spi_lightning.methods.volumes.checkpoint import VolumeCheckpoint
from spi_lightning.methods.volumes.gradient import GradientVolume
from spi_lightning.methods.volumes.iterative import IterativeVolume
from spi_lightning.methods.volumes.refined_network import RefinedNetwork, RefinementSettings, Then

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
    "LabelledSubset",
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
    "find_checkpoints",
    "run_name",
]
