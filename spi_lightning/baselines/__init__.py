"""Baselines without training: neighbours and graphs of patterns, and supports from autocorrelations.

Pure functions of tensors and sparse matrices, without files or decisions.
"""

from .diffusion_map import DiffusionEmbedding, auto_bandwidth, diffusion_map, extend
from .graph import affinity, components, describe_components, prior, region_force, symmetric_graph
from .graph_cut import Cut, Edges, energy, graph_cut, votes
from .neighbours import nearest, nearest_to
from .references import fit_classifier, fit_scaling, is_clusterer, memberships, name_clusters
from .triple_intersection import double_intersection, triple_intersection
from .vectors import AngularVectors, PixelVectors, masked_correlation

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
