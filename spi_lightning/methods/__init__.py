"""A method answers a data set: checkpoints, baselines and phasing under one protocol.

A method reads a PatternFile and gives back an Answer or a SupportAnswer, arrays of one entry per frame; or it phases a
3D pattern and gives back VolumeRuns. What is done with answers (tables, pictures, selection lists) is no business of a
method.
"""

from spi_lightning.methods.answer import Answer, DecisionRule, Given, Method, ensemble
from spi_lightning.methods.answer_cache import AnswerCache
from spi_lightning.methods.autocorrelation_support import AutocorrelationSupport
from spi_lightning.methods.cached_checkpoint import CachedCheckpointMethod
from spi_lightning.methods.checkpoint import CheckpointMethod, find_checkpoints, find_device, run_name
from spi_lightning.methods.diffusion_map import DiffusionMap
from spi_lightning.methods.frame_columns import measure_frames
from spi_lightning.methods.frozen_features import FrozenFeatures
from spi_lightning.methods.given import GivenPlan
from spi_lightning.methods.gradient_volume import GradientVolume
from spi_lightning.methods.graph_cut import GraphCut
from spi_lightning.methods.headline import ENSEMBLE, headline_name
from spi_lightning.methods.iterative_volume import IterativeVolume
from spi_lightning.methods.judgement import notes, score
from spi_lightning.methods.layers import layer_maps, write_layer_maps
from spi_lightning.methods.map_selection import ByDistance, InBox, InPolygon
from spi_lightning.methods.occlusion import occlusion_maps
from spi_lightning.methods.photon_count import PhotonCount
from spi_lightning.methods.predictions import Predictions
from spi_lightning.methods.reading import read_ahead, read_vectors
from spi_lightning.methods.references import Reference
from spi_lightning.methods.refined_network import RefinedNetwork, Then
from spi_lightning.methods.running import Asked, Interview, plan_notes
from spi_lightning.methods.scoring import Scoring, spread
from spi_lightning.methods.selection import write_selection_lists
from spi_lightning.methods.shrinkwrap_support import ShrinkwrapSupport
from spi_lightning.methods.support_answer import SupportAnswer, SupportMethod
from spi_lightning.methods.support_checkpoint import Healed, SupportCheckpoint
from spi_lightning.methods.support_running import SupportInterview
from spi_lightning.methods.triple_intersection import DoubleIntersection, TripleIntersection
from spi_lightning.methods.volume_answer import VolumeMethod, VolumeQuestion, VolumeRuns
from spi_lightning.methods.volume_checkpoint import VolumeCheckpoint
from spi_lightning.methods.volume_running import AskedVolumes, VolumeInterview

__all__ = [
    "ENSEMBLE",
    "Answer",
    "AnswerCache",
    "Asked",
    "AskedVolumes",
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
    "Interview",
    "IterativeVolume",
    "Method",
    "PhotonCount",
    "Predictions",
    "Reference",
    "RefinedNetwork",
    "Scoring",
    "ShrinkwrapSupport",
    "SupportAnswer",
    "SupportCheckpoint",
    "SupportInterview",
    "SupportMethod",
    "Then",
    "TripleIntersection",
    "VolumeCheckpoint",
    "VolumeInterview",
    "VolumeMethod",
    "VolumeQuestion",
    "VolumeRuns",
    "ensemble",
    "find_checkpoints",
    "find_device",
    "headline_name",
    "layer_maps",
    "measure_frames",
    "notes",
    "occlusion_maps",
    "plan_notes",
    "read_ahead",
    "read_vectors",
    "run_name",
    "score",
    "spread",
    "write_layer_maps",
    "write_selection_lists",
]
