"""Diffusion map of 10,000 patterns against scikit-learn's SpectralEmbedding: equal work, equal eigenspaces, one thread.

Two contests, each of the seconds that this process spends on the processor:
- map: the neighbours are found already. Ours finds the bandwidth, weighs them, makes the graph symmetric and finds the
  eigenvectors; scikit-learn is handed our finished graph (affinity="precomputed") and finds the eigenvectors.
- search and map: both start from the vectors and find Euclidean neighbours by themselves. scikit-learn's graph is then
  of weight 1, symmetrised by the mean, and counts a frame among its own neighbours; ours is made alike: one neighbour
  fewer, an infinite bandwidth, the mean.

Run: python -m benchmarks.diffusion_map_speed [--patterns 10000] [--rounds 3]
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.linalg import subspace_angles
from sklearn.manifold import SpectralEmbedding
from threadpoolctl import threadpool_limits
from torch import Tensor

from benchmarks.graph_scale import vectors_of_patterns
from benchmarks.record import write_result
from spi_lightning.baselines.diffusion_map import diffusion_map
from spi_lightning.baselines.graph import Graph, symmetric_graph
from spi_lightning.baselines.neighbours import nearest
from spi_lightning.baselines.vectors import AngularVectors

COORDINATES, NEIGHBOURS, LEAST_WEIGHT = 10, 50, 1e-4
TARGET, LARGEST_ANGLE = 5.0, 1e-3


def timed(work: Callable[[], NDArray[np.float64]]) -> tuple[float, NDArray[np.float64]]:
    """Seconds on the processor, and what came of them."""
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def angle(ours: NDArray[np.float64], theirs: NDArray[np.float64], graph: Graph) -> float:
    """Largest principal angle between the eigenspaces of D^-1/2 K D^-1/2; both give D^-1/2 v up to a scale."""
    root = np.sqrt(np.asarray(graph.sum(axis=1)))
    return float(subspace_angles(ours * root, theirs * root).max())


def map_alone(vectors: Tensor) -> dict[str, float]:
    """Both from the same neighbours and weights."""
    index, distance = nearest(vectors, NEIGHBOURS, "correlation", approximate=False)
    embedding = diffusion_map(index, distance, COORDINATES, least_weight=LEAST_WEIGHT)
    assert len(embedding.size) == 1
    weight = np.exp(-distance.double().numpy() / embedding.tau).clip(LEAST_WEIGHT)
    graph = symmetric_graph(index, weight)
    sklearn = SpectralEmbedding(COORDINATES, affinity="precomputed", random_state=0)
    ours = timed(lambda: diffusion_map(index, distance, COORDINATES, least_weight=LEAST_WEIGHT).coordinates)
    theirs = timed(lambda: sklearn.fit_transform(graph))
    return {"ours": ours[0], "sklearn": theirs[0], "angle": angle(ours[1], theirs[1], graph)}


def search_and_map(vectors: Tensor) -> dict[str, float]:
    """Both from the vectors, on scikit-learn's terms."""

    def work() -> NDArray[np.float64]:
        index, distance = nearest(vectors, NEIGHBOURS - 1, approximate=False)
        return diffusion_map(index, distance, COORDINATES, tau=1e30, symmetrise="mean").coordinates

    sklearn = SpectralEmbedding(
        COORDINATES, affinity="nearest_neighbors", n_neighbors=NEIGHBOURS, random_state=0, n_jobs=1
    )
    ours, theirs = timed(work), timed(lambda: sklearn.fit_transform(vectors.numpy()))
    return {"ours": ours[0], "sklearn": theirs[0], "angle": angle(ours[1], theirs[1], sklearn.affinity_matrix_)}


def main() -> None:
    """Print the table and write benchmarks/results/diffusion_map_speed.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patterns", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    vectors = torch.cat([vectors for (vectors,), _ in vectors_of_patterns(options.patterns, AngularVectors())])
    console, results = Console(), {}
    table = Table("", "ours, s", "scikit-learn, s", "ratio", "largest angle, rad", title=f"{len(vectors):,} patterns")
    with threadpool_limits(1):
        for name, contest in (("map", map_alone), ("search and map", search_and_map)):
            rounds = [contest(vectors) for _ in range(options.rounds)]
            best = {who: statistics.median(each[who] for each in rounds) for who in ("ours", "sklearn")}
            best |= {"ratio": best["sklearn"] / best["ours"], "angle": max(each["angle"] for each in rounds)}
            results[name.replace(" ", "_")] = best
            table.add_row(name, *(f"{best[k]:.2f}" for k in ("ours", "sklearn", "ratio")), f"{best['angle']:.1e}")
    console.print(table)
    console.print(f"targets: ratio {TARGET:g} or more, angle below {LARGEST_ANGLE:g}")
    settings = {"patterns": len(vectors), "vector": vectors.shape[1], "neighbours": NEIGHBOURS, "threads": 1}
    settings |= {"coordinates": COORDINATES, "least_weight": LEAST_WEIGHT, "rounds": options.rounds}
    print(write_result("diffusion_map_speed", {**settings, "seconds": results}))


if __name__ == "__main__":
    main()
