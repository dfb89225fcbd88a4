"""Weights and region forces of a graph cut: affinity of neighbours, and prior from known frames."""

import numpy as np
import scipy.sparse
from numpy.typing import ArrayLike, NDArray

from spi_lightning.errors import UserError

from .graph import Graph

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
