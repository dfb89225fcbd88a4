"""Sparse graphs of nearest neighbours."""

from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

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
