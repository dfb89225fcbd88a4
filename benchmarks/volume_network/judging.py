"""Numbers of densities on fitted and held-out voxels, their medians, and the tables of them."""

import statistics
from typing import Any

from torch import Tensor

from benchmarks.record import read_result, write_result
from benchmarks.volume_network.methods import Found
from spi_lightning.metrics.volumes.volume_fit import volume_fit

Row = dict[str, Any]
AXES = (-3, -2, -1)


def judged(found: Found, pattern: Tensor, fitted: Tensor, held_out: Tensor) -> Row:
    """Chi square and r_p over fitted and held-out voxels, in float64, one number per density; voxels; seconds."""
    numbers: Row = {
        name: values.tolist()
        for name, values in volume_fit(found.density, pattern, fitted, held_out, found.point_spread).items()
    }
    growth = {} if found.growth is None else {"growth": found.growth}
    if found.point_spread is not None:
        numbers |= {f"point_spread_{axis}": found.point_spread[:, i].tolist() for i, axis in enumerate("zyx")}
    return numbers | {"voxels": found.voxels.tolist(), "seconds": found.seconds} | growth


def summary(rows: list[Row]) -> Row:
    """Median, least and largest over seeds and masks."""
    together: Row = {}
    for name in rows[0]:
        values = [value for row in rows for value in (row[name] if isinstance(row[name], list) else [row[name]])]
        together[name] = {"median": statistics.median(values), "range": [min(values), max(values)]}
    return together


def table(title: str, methods: dict[str, Row]) -> None:
    """Medians, and the range of chi square."""
    print(f"\n{title}")
    print(f"{'method':22s} {'fitted chi2':>24s} {'held-out chi2':>24s} {'r_p':>8s} {'voxels':>7s} {'CPU s':>6s}")
    for method, numbers in methods.items():
        cells = []
        for name in ("chi_square", "held_out_chi_square"):
            low, high = numbers[name]["range"]
            cells.append(f"{numbers[name]['median']:.5f} ({low:.4f}-{high:.4f})")
        rest = [numbers[name]["median"] for name in ("correlation", "voxels", "seconds")]
        print(f"{method:22s} {cells[0]:>24s} {cells[1]:>24s} {rest[0]:8.4f} {rest[1]:7.0f} {rest[2]:6.1f}", flush=True)


def store(name: str, numbers: Row) -> None:
    """Keep the other parts of the result file; of the numbers leave out single runs."""
    write_result("volume_network", {**read_result("volume_network"), name: without_runs(numbers)})


def without_runs(numbers: Row) -> Row:
    """The same, at every depth without the entry ``runs``."""
    return {
        name: without_runs(value) if isinstance(value, dict) else value
        for name, value in numbers.items()
        if name != "runs"
    }
