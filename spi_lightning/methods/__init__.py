"""A method answers a data set: checkpoints, baselines and phasing under one protocol.

A method reads a PatternFile and gives back an Answer or a SupportAnswer, arrays of one entry per frame; or it phases a
3D pattern and gives back VolumeRuns. What is done with answers (tables, pictures, selection lists) is no business of a
method.
"""

from spi_lightning.methods.hits.cached_checkpoint import CachedCheckpointMethod
from spi_lightning.methods.hits.checkpoint import CheckpointMethod, find_checkpoints, run_name
from spi_lightning.methods.hits.diffusion_map import DiffusionMap
from spi_lightning.methods.hits.frozen_features import FrozenFeatures
from spi_lightning.methods.hits.graph_cut import GraphCut
from spi_lightning.methods.hits.labelled_subset import GivenPlan
from spi_lightning.methods.hits.map_selection import ByDistance, InBox, InPolygon
from spi_lightning.methods.hits.photon_count import PhotonCount
from spi_lightning.methods.hits.reading import read_ahead, read_vectors
from spi_lightning.methods.hits.references import Reference
from spi_lightning.methods.supports.autocorrelation import AutocorrelationSupport
from spi_lightning.methods.supports.batches import SupportMethod
from spi_lightning.methods.supports.checkpoint import Healed, SupportCheckpoint
from spi_lightning.methods.supports.shrinkwrap import ShrinkwrapSupport
from spi_lightning.methods.supports.triple_intersection import DoubleIntersection, TripleIntersection
from spi_lightning.methods.volumes.checkpoint import VolumeCheckpoint
from spi_lightning.methods.volumes.gradient import GradientVolume
from spi_lightning.methods.volumes.iterative import IterativeVolume
from spi_lightning.methods.volumes.refined_network import RefinedNetwork, RefinementSettings, Then
from spi_lightning.results.hit_answer import Answer, DecisionRule, Given, Method, ensemble
from spi_lightning.results.support_answer import SupportAnswer
from spi_lightning.results.volume_answer import VolumePart, VolumeRuns

__all__ = [
    "Answer",
    "AutocorrelationSupport",
    "ByDistance",
    "CachedCheckpointMethod",
    "CheckpointMethod",
    "DecisionRule",
    "DiffusionMap",
    "DoubleIntersection",
    "FrozenFeatures",
    "Given",
    "GivenPlan",
    "GradientVolume",
    "GraphCut",
    "Healed",
    "InBox",
    "InPolygon",
    "IterativeVolume",
    "Method",
    "PhotonCount",
    "Reference",
    "RefinedNetwork",
    "RefinementSettings",
    "ShrinkwrapSupport",
    "SupportAnswer",
    "SupportCheckpoint",
    "SupportMethod",
    "Then",
    "TripleIntersection",
    "VolumeCheckpoint",
    "VolumePart",
    "VolumeRuns",
    "ensemble",
    "find_checkpoints",
    "read_ahead",
    "read_vectors",
    "run_name",
]
