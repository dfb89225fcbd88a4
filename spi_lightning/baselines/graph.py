"""Sparse graphs of nearest neighbours, with the weights and region forces of a graph cut."""

from typing import Any, Literal, TypeAlias

import numpy as np
import scipy.sparse
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from spi_lightning.errors import UserError

Symmetrise = Literal["maximum", "mean"]
Graph: TypeAlias = csr_matrix


def symmetric_graph(index: ArrayLike, weight: ArrayLike, how: Symmetrise = "maximum") -> Graph:
    """Undirected graph of the neighbours of every frame.

    Args:
        index: (N, k) int64 neighbours of each frame, none twice or the frame itself.
        weight: (N, k) float weights of the neighbours, not negative.
        how: Weight of an edge from the weights of its two directions (0 without one): ``maximum``, as in the program of
            Shi et al. (2019), or ``mean``, as in scikit-learn.

    Returns:
        (N, N) symmetric CSR matrix of the float type of ``weight``, indices sorted, without explicit zeros.
    """
    if how not in ("maximum", "mean"):
        raise ValueError(f"how={how}: use maximum or mean")
    neighbours, weights = np.asarray(index), np.asarray(weight)
    frames, k = neighbours.shape
    starts = np.arange(0, frames * k + 1, k, dtype=np.int32 if frames * k < 2**31 else np.int64)
    columns = neighbours.astype(starts.dtype).ravel()  # scipy computes with the narrowest index type of its input
    directed = csr_matrix((weights.ravel(), columns, starts), shape=(frames, frames))
    other = directed.T.tocsr()
    joined = directed.maximum(other) if how == "maximum" else (directed + other) * weights.dtype.type(0.5)
    joined.eliminate_zeros()
    joined.sort_indices()
    return joined


def components(graph: Graph) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Connected components of a graph, the largest first.

    Args:
        graph: (N, N) symmetric weights of the edges.

    Returns:
        Index of the component of each frame (N,), and the number of frames of each (parts,), descending; equal ones in
        the order of their first frame.
    """
    count, label = connected_components(graph, directed=False)
    size = np.bincount(label, minlength=count)
    order = np.argsort(-size, kind="stable")
    rank = np.empty(count, dtype=np.int64)
    rank[order] = np.arange(count)
    return rank[label], size[order].astype(np.int64)


def describe_components(size: NDArray[np.int64], named: int = 5) -> str:
    """Text of the component sizes (parts,) of a graph: ``3 unconnected parts of 4,900, 60 and 40 frames``."""
    if len(size) == 1:
        return f"1 connected part of {size[0]:,} frames"
    words = [f"{frames:,}" for frames in size[:named]]
    rest = f" and {len(size) - named} smaller ones" if len(size) > named else ""
    listed = ", ".join(words) if rest else f"{', '.join(words[:-1])} and {words[-1]}"
    return f"{len(size)} unconnected parts of {listed} frames{rest}"


def scale_both_sides(graph: Graph, factor: NDArray[Any]) -> Graph:
    """Multiply entry i, j of (N, N) by factors i and j of (N,), in place."""
    graph.data *= np.repeat(factor, np.diff(graph.indptr))
    graph.data *= factor[graph.indices]
    return graph


Floats = NDArray[np.float64]


def affinity(index: ArrayLike, distance: ArrayLike) -> Floats:
    """Affinities of nearest neighbours, w_ij = exp(-d_ij^2 / (s_i s_j)), s_i the distance to the last neighbour of i.

    Duplicates, at distance 0, weigh 1. Where the last neighbour is a duplicate too, s_i is a millionth of the median s.

    Args:
        index: (N, k) int64 neighbours of each frame, see ``nearest``.
        distance: (N, k) Euclidean distances of these, ascending.

    Returns:
        (N, k) weights from 0 to 1.

    Source: Zelnik-Manor & Perona (2004), local scaling; Shi et al. (2019) do not print their
    weights.
    """
    separation = np.asarray(distance, dtype=np.float64)
    scale = separation[:, -1]
    known = scale[scale > 0]
    scale = np.maximum(scale, 1e-6 * (np.median(known) if len(known) else 1.0))
    weight: Floats = np.exp(-(separation**2) / (scale[:, None] * scale[np.asarray(index)]))
    return weight


def prior(graph: Graph, single: ArrayLike, other: ArrayLike, least: float = 1e-3) -> tuple[Floats, NDArray[np.bool_]]:
    """Prior probability that a frame is a single hit, from paths of two edges to known frames.

    p_i = a_i / (a_i + b_i), a and b being the means of d_ij over j in ``single`` and in ``other``;
    d_ij = (A_ij)^2 / (A_ii A_jj), A = V^2, V the graph with weight 1 on its diagonal, the affinity at
    distance 0.

    Args:
        graph: (N, N) symmetric weights w without diagonal.
        single, other: Index of frames known to be single hits (S1), and known not to be (S0); at least one of each.
        least: Limit of p to [least, 1 - least].

    Returns:
        p (N,), 1/2 where no path of two edges leads to a known frame, and the mask (N,) bool where one does.

    Source: Shi et al. (2019), S2.
    """
    if not 0 < least < 0.5:
        raise UserError(f"least={least:g} must lie between 0 and 0.5")
    tied = (graph + scipy.sparse.identity(graph.shape[0], format="csr")).tocsr()
    length = np.asarray(tied.multiply(tied).sum(axis=1)).ravel()  # diagonal of A
    near, far = (_mean_affinity(tied, length, np.asarray(known)) for known in (single, other))
    total = near + far
    defined = total > 0
    p = np.full(len(total), 0.5)
    p[defined] = near[defined] / total[defined]
    return p.clip(least, 1 - least), defined


def region_force(p: ArrayLike) -> Floats:
    """Region force, the cost of a single hit less that of another frame, r = log((1 - p) / p): (N,) -> (N,).

    Source: negative Bernoulli log-likelihood, Wei, Yin, Tai & Chan (2017), arXiv:1704.08218.
    """
    probability = np.asarray(p, dtype=np.float64)
    force: Floats = np.log((1 - probability) / probability)
    return force


def _mean_affinity(tied: Graph, length: Floats, known: NDArray[np.int64]) -> Floats:
    """Mean over known frames j of (A_ij)^2 / (A_ii A_jj), (N,)."""
    if not len(known):
        raise UserError("graph cut: name at least one frame of each class")
    rows = (tied[known] @ tied).tocsr()
    rows.data **= 2
    mean: Floats = (rows.T @ (1 / length[known])) / (len(known) * length)
    return mean
