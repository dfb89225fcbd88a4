"""Classification and supports without training: neighbours and graphs of patterns, intersections of autocorrelations.

Pure functions of tensors and sparse matrices; files, answers and decisions belong to methods.
"""

from spi_lightning.baselines.diffusion_map import DiffusionEmbedding, auto_bandwidth, diffusion_map, extend
from spi_lightning.baselines.features import AngularVectors
from spi_lightning.baselines.graph import components, describe_components, symmetric_graph
from spi_lightning.baselines.graph_cut import Cut, Edges, energy, graph_cut, votes
from spi_lightning.baselines.neighbours import nearest, nearest_to
from spi_lightning.baselines.references import fit_classifier, fit_scaling, is_clusterer, memberships, name_clusters
from spi_lightning.baselines.region import affinity, prior, region_force
from spi_lightning.baselines.triple_intersection import double_intersection, triple_intersection
from spi_lightning.baselines.vectors import PixelVectors, masked_correlation

__all__ = [
    "AngularVectors",
    "Cut",
    "DiffusionEmbedding",
    "Edges",
    "PixelVectors",
    "affinity",
    "auto_bandwidth",
    "components",
    "describe_components",
    "diffusion_map",
    "double_intersection",
    "energy",
    "extend",
    "fit_classifier",
    "fit_scaling",
    "graph_cut",
    "is_clusterer",
    "masked_correlation",
    "memberships",
    "name_clusters",
    "nearest",
    "nearest_to",
    "prior",
    "region_force",
    "symmetric_graph",
    "triple_intersection",
    "votes",
]
