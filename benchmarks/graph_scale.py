"""Neighbours and diffusion map of 10,000 to 240,000 patterns of 64 x 64: seconds, memory, and neighbours missed.

The patterns are simulated for the purpose: conf/simulate/hits.yaml on 64 x 64 pixels of twice the size, a thousand a
second, each with its own mask. They stream into two kinds of vectors, kept as files in --folder: pixels (sums of 2 x 2,
square root, gaps filled from rings: 1,024 numbers) and rings (AngularVectors, what the methods use: 97). A smaller set
is the beginning of a larger one. Each size runs in a process of its own, on one thread; its peak memory is that of the
whole process, vectors included. What is missed is counted on 500 frames, compared with all others, and from their time
that of an exact graph is extrapolated.

Run: python -m benchmarks.graph_scale [--sizes 10000 30000 100000 240000] [--folder cache/graph_scale]
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import matplotlib.ticker
import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from torch import Tensor

from benchmarks.record import RESULTS, write_result
from benchmarks.simulator import configured
from spi_lightning.baselines.diffusion_map import diffusion_map
from spi_lightning.baselines.neighbours import nearest, nearest_to
from spi_lightning.baselines.vectors import AngularVectors, PixelVectors
from spi_lightning.distributed import keep_freed_memory
from spi_lightning.fields import IS_SINGLE_HIT, MASK, PHOTONS
from spi_lightning.files import atomic_write
from spi_lightning.progress import ProgressBar
from spi_lightning.reports.style import METHOD_COLOURS, figure

KINDS: dict[str, Any] = {"pixels": PixelVectors(bin=2), "rings": AngularVectors()}
NEIGHBOURS, COORDINATES, LEAST_WEIGHT, SAMPLE, SEED = 50, 3, 1e-4, 500, 1
TARGET_MINUTES, TARGET_GIB = 20, 16
PICTURE = Path(__file__).parents[1] / "docs" / "images" / "graph_scale.png"


def vectors_of_patterns(count: int, *describe: Any) -> Iterator[tuple[list[Tensor], NDArray[np.int64]]]:
    """Vectors of each kind (n, d), and is_single_hit (n,), of simulated patterns of 64 x 64, block by block."""
    keep_freed_memory()
    simulator: Any = configured("hits")
    simulator.shape, simulator.geometry.pixel_size = (64, 64), (1.2e-3, 1.2e-3)
    simulator.bad_pixels.hole, simulator.bad_pixels.gap = (3.0, 5.0), (0.0, 2.0)
    simulator.optics.halo_radius, simulator.optics.blur = (4.0, 9.0), (0.0, 0.45)
    for start in range(0, count, simulator.block_size):
        block = simulator(start // simulator.block_size, SEED)
        size = min(simulator.block_size, count - start)
        vectors = [each(block[PHOTONS], block[MASK])[:size] for each in describe]
        yield vectors, block[IS_SINGLE_HIT][:size].numpy()


def write_vectors(folder: Path, count: int) -> None:
    """Files of float32 vectors, one after the other, unless they are there."""
    paths = {kind: folder / f"{kind}_{count}.f32" for kind in KINDS}
    if all(path.exists() for path in paths.values()):
        return
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        files = [stack.enter_context(stack.enter_context(atomic_write(path)).open("wb")) for path in paths.values()]
        bar = stack.enter_context(ProgressBar())
        task = bar.add_task("simulating", total=count)
        for vectors, labels in vectors_of_patterns(count, *KINDS.values()):
            for file, part in zip(files, vectors, strict=True):
                part.numpy().tofile(file)
            bar.advance(task, len(labels))


def one_size(path: Path, count: int, width: int) -> dict[str, float]:
    """Everything measured at one size, in this process."""
    vectors = torch.from_numpy(np.fromfile(path, dtype=np.float32, count=count * width).reshape(count, width))
    clock = [(time.perf_counter(), time.process_time())]

    def lap() -> dict[str, float]:
        clock.append((time.perf_counter(), time.process_time()))
        return {name: clock[-1][i] - clock[-2][i] for i, name in enumerate(("wall", "processor"))}

    index, distance = nearest(vectors, NEIGHBOURS, "correlation", approximate=True)
    times: dict[str, Any] = {"neighbours": lap()}
    embedding = diffusion_map(index, distance, COORDINATES, least_weight=LEAST_WEIGHT)
    times["diffusion_map"] = lap()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    sample = torch.from_numpy(np.random.default_rng(0).choice(count, SAMPLE, replace=False))
    lap()
    exact, _ = nearest_to(vectors[sample], vectors, NEIGHBOURS + 1, "correlation", approximate=False)
    times["exact_extrapolated"] = {name: value * count / SAMPLE for name, value in lap().items()}
    hit = (index[sample][:, :, None] == exact[:, None, :]).any(2).sum(1).double() / NEIGHBOURS
    assert np.isfinite(embedding.coordinates).all()
    return {
        "patterns": count,
        **times,
        "peak_gib": peak,
        "recall": float(hit.mean()),
        "parts": len(embedding.size),
        "largest_part": int(embedding.size[0]),
        "eigenvalues": embedding.eigenvalue[0].tolist(),
        "tau": embedding.tau,
    }


def measure(folder: Path, kind: str, count: int, largest: int, width: int) -> dict[str, Any]:
    """One size in a process of its own."""
    path = folder / f"{kind}_{largest}.f32"
    command = [sys.executable, "-m", "benchmarks.graph_scale", "--only", str(path), str(count), str(width)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{kind}, {count} patterns: {done.stderr}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def draw(results: dict[str, list[dict[str, Any]]]) -> None:
    """Seconds and memory against the number of patterns, both axes logarithmic."""
    with figure(9.6, 5.0) as picture:
        seconds, memory = picture.subplots(1, 2)
        for colour, (kind, rows) in zip(METHOD_COLOURS, results.items(), strict=False):
            size = [row["patterns"] for row in rows]
            words = f"{kind}, {rows[0]['numbers']:,} numbers"
            for name, line, label in (
                ("exact_extrapolated", ":", "exact neighbours (extrapolated)"),
                ("neighbours", "o-", "neighbours by index"),
                ("diffusion_map", "s--", "diffusion map"),
            ):
                values = [row[name]["processor"] for row in rows]
                seconds.plot(size, values, line, color=colour, label=f"{words}: {label}", markersize=5)
            memory.plot(size, [row["peak_gib"] for row in rows], "o-", color=colour, markersize=5)
        seconds.axhline(60 * TARGET_MINUTES, color="#8a8f98", linewidth=1)
        seconds.text(size[0], 60 * TARGET_MINUTES * 1.1, f"{TARGET_MINUTES} min", fontsize=8, color="#5c6773")
        memory.axhline(TARGET_GIB, color="#8a8f98", linewidth=1)
        memory.text(size[0], TARGET_GIB * 1.05, f"{TARGET_GIB} GiB", fontsize=8, color="#5c6773")
        seconds.set(title="time, one core", ylabel="processor time (s)")
        memory.set(title="peak memory of the process", ylabel="resident memory (GiB)")
        for axes in (seconds, memory):
            axes.set(xscale="log", yscale="log", xlabel="patterns of 64 × 64")
            axes.set_xticks(size, [f"{each:,}" for each in size])
            axes.xaxis.set_minor_locator(matplotlib.ticker.NullLocator())
        memory.set_ylim(0.2, 32)
        memory.set_yticks([0.25, 0.5, 1, 2, 4, 8, 16], ["0.25", "0.5", "1", "2", "4", "8", "16"])
        memory.yaxis.set_minor_locator(matplotlib.ticker.NullLocator())
        seconds.set_ylim(0.1, 1e4)
        picture.legend(*seconds.get_legend_handles_labels(), loc="outside lower center", ncols=2)
        PICTURE.parent.mkdir(parents=True, exist_ok=True)
        picture.savefig(PICTURE, dpi=140)


def main() -> None:
    """Print the table, write benchmarks/results/graph_scale.json and docs/images/graph_scale.png."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", type=int, default=[10_000, 30_000, 100_000, 240_000])
    parser.add_argument("--folder", type=Path, default=Path("cache/graph_scale"))
    parser.add_argument("--only", nargs=3, metavar=("FILE", "COUNT", "WIDTH"), help="one measurement, as JSON")
    parser.add_argument("--draw", action="store_true", help="only draw what was measured before")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.only:
        path, count, width = options.only
        print(json.dumps(one_size(Path(path), int(count), int(width))))
        return
    if options.draw:
        draw(json.loads((RESULTS / "graph_scale.json").read_text())["kinds"])
        return
    largest, results, console = max(options.sizes), {}, Console()
    write_vectors(options.folder, largest)
    table = Table("", "patterns", "neighbours, s", "map, s", "exact, s", "peak, GiB", "recall", "parts")
    for kind in KINDS:
        path, results[kind] = options.folder / f"{kind}_{largest}.f32", []
        width = path.stat().st_size // (4 * largest)
        for count in sorted(options.sizes):
            row = {"numbers": width, **measure(options.folder, kind, count, largest, width)}
            results[kind].append(row)
            laps = [f"{row[k]['processor']:.1f}" for k in ("neighbours", "diffusion_map", "exact_extrapolated")]
            table.add_row(
                kind, f"{count:,}", *laps, f"{row['peak_gib']:.2f}", f"{row['recall']:.4f}", str(row["parts"])
            )
            print(f"{kind} {count} {row}", flush=True)
    console.print(table)
    settings = {"neighbours": NEIGHBOURS, "coordinates": COORDINATES, "threads": 1, "recall_frames": SAMPLE}
    print(write_result("graph_scale", {**settings, "kinds": results}))
    draw(results)


if __name__ == "__main__":
    main()
