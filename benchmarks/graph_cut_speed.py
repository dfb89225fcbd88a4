"""One iteration of the graph cut against one pair of sparse mat-vecs on the same graph.

python -m benchmarks.graph_cut_speed

Graphs of the 5 nearest neighbours of random vectors, float64. The pair is W x and W^T x, by scipy and by torch; the
faster of the two is what counts. Iterations are timed by the difference of long and short runs. One thread and its
processor time, all in turns, the median of each, so that other work on the machine disturbs little and all alike.
"""

import argparse
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from benchmarks.record import write_result
from spi_lightning.baselines.graph import Graph, affinity, symmetric_graph
from spi_lightning.baselines.graph_cut import graph_cut
from spi_lightning.baselines.neighbours import nearest

SHORT, LONG = 20, 220


def make_graph(frames: int) -> Graph:
    """Graph of random vectors in five dimensions."""
    vectors = torch.randn(frames, 5, generator=torch.Generator().manual_seed(0))
    index, distance = nearest(vectors, 5)
    return symmetric_graph(index, affinity(index, distance))


def seconds(call: Callable[[], object], times: int = 1) -> float:
    """Mean processor time of some calls."""
    start = time.process_time()
    for _ in range(times):
        call()
    return (time.process_time() - start) / times


def measure(frames: int, turns: int = 11) -> dict[str, Any]:
    """Milliseconds of one iteration (both kinds of steps and balls) and of one pair."""
    graph = make_graph(frames)
    transposed, x = graph.T.tocsr(), np.random.default_rng(0).random(frames)
    force = np.random.default_rng(1).normal(size=frames)
    forward, backward = (_torch(matrix) for matrix in (graph, transposed))
    y = torch.from_numpy(x)

    def run(max_iter: int, **options: Any) -> float:
        return seconds(lambda: graph_cut(graph, force, max_iter=max_iter, tolerance=1e-300, **options))

    calls = {
        "scipy pair": lambda: seconds(lambda: (graph @ x, transposed @ x), 50),
        "torch pair": lambda: seconds(lambda: (torch.mv(forward, y), torch.mv(backward, y)), 50),
        "iteration": lambda: (run(LONG) - run(SHORT)) / (LONG - SHORT),
        "iteration, uniform steps": lambda: (run(LONG, step_sizes="uniform") - run(SHORT)) / (LONG - SHORT),
        "iteration, rows": lambda: (run(LONG, ball="rows") - run(SHORT, ball="rows")) / (LONG - SHORT),
    }
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(turns):
        for name, call in calls.items():
            times[name].append(1e3 * call())
    result = {name: float(np.median(each)) for name, each in times.items()}
    pair = min(result["scipy pair"], result["torch pair"])
    return {"edges": int(graph.nnz), "milliseconds": result, "iteration / pair": result["iteration"] / pair}


def _torch(matrix: Graph) -> torch.Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch calls its CSR tensors beta
        parts = (torch.from_numpy(each) for each in (matrix.indptr, matrix.indices, matrix.data))
        return torch.sparse_csr_tensor(*parts, size=matrix.shape, check_invariants=False)


def main() -> None:
    """Print the table and write benchmarks/results/graph_cut_speed.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, nargs="+", default=[10_000, 100_000])
    options = parser.parse_args()
    torch.set_num_threads(1)
    result = {str(frames): measure(frames) for frames in options.frames}
    for frames, row in result.items():
        displayed = ", ".join(f"{name} {value:.3f} ms" for name, value in row["milliseconds"].items())
        print(f"{int(frames):,} frames, {row['edges']:,} weights: {displayed}; ratio {row['iteration / pair']:.2f}")
    print(write_result("graph_cut_speed", result))


if __name__ == "__main__":
    main()
