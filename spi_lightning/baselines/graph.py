"""Sparse graphs of nearest neighbours."""

from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

Symmetrise = Literal["maximum", "mean"]
Graph: TypeAlias = csr_matrix


def symmetric_graph(index: ArrayLike, weight: ArrayLike, how: Symmetrise = "maximum") -> Graph:
    """Join the neighbours of every frame to one undirected graph.

    Args:
        index: (N, k) whole numbers, the neighbours of each frame, none of them twice or the frame itself.
        weight: (N, k) float, not negative.
        how: What joins two frames, of the two weights of one with the other (0 where one is no neighbour of the other):
            ``maximum``, as P0's program, or ``mean``, as scikit-learn.

    Returns:
        (N, N) symmetric CSR matrix of the float type of ``weight``, indices sorted, without explicit zeros.
    """
    if how not in ("maximum", "mean"):
        raise ValueError(f"how={how}: use maximum or mean")
    neighbours, weights = np.asarray(index), np.asarray(weight)
    frames, k = neighbours.shape
    starts = np.arange(0, frames * k + 1, k, dtype=np.int32 if frames * k < 2**31 else np.int64)
    columns = neighbours.astype(starts.dtype).ravel()  # scipy computes with the narrowest indices it is given
    directed = csr_matrix((weights.ravel(), columns, starts), shape=(frames, frames))
    other = directed.T.tocsr()
    joined = directed.maximum(other) if how == "maximum" else (directed + other) * weights.dtype.type(0.5)
    joined.eliminate_zeros()
    joined.sort_indices()
    return joined


def components(graph: Graph) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Parts of a graph that no edge joins, the largest first.

    Args:
        graph: (N, N) symmetric.

    Returns:
        Number of the part of each frame (N,) and the frames in each part (parts,), descending; equal ones stand in the
        order of their first frame.
    """
    count, label = connected_components(graph, directed=False)
    size = np.bincount(label, minlength=count)
    order = np.argsort(-size, kind="stable")
    rank = np.empty(count, dtype=np.int64)
    rank[order] = np.arange(count)
    return rank[label], size[order].astype(np.int64)


def describe_components(size: NDArray[np.int64], named: int = 5) -> str:
    """Say in words how a graph falls apart: ``3 unconnected parts of 4,900, 60 and 40 frames``."""
    if len(size) == 1:
        return f"1 connected part of {size[0]:,} frames"
    words = [f"{frames:,}" for frames in size[:named]]
    rest = f" and {len(size) - named} smaller ones" if len(size) > named else ""
    listed = ", ".join(words) if rest else f"{', '.join(words[:-1])} and {words[-1]}"
    return f"{len(size)} unconnected parts of {listed} frames{rest}"


def scale_both_sides(graph: Graph, factor: NDArray[Any]) -> Graph:
    """Multiply entry i, j by factor i and factor j, in place; (N,)."""
    graph.data *= np.repeat(factor, np.diff(graph.indptr))
    graph.data *= factor[graph.indices]
    return graph
