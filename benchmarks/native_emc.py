"""The EMC of this package beside Dragonfly on the same patterns: errors of orientations, and times.

python -m benchmarks.native_emc dragonfly=VENV [--sets 400x4 2000x4] [--iterations 18] [--threads 1]

Simulated solid icosahedra of known orientation (simulate=solid_icosahedra), both from the same first guess with the
same annealing. A set NxD has N patterns and num_div D. Processor seconds are those of the whole command,
with reading, analysis and page; seconds an iteration are of the clock, the median of EMC.log. Sets that are in
benchmarks/results/native_emc.json are not made again. Without dragonfly= the EMC of this package is run alone.
"""

import argparse
import resource
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.doors import ROOT, orient, simulate
from benchmarks.record import read_result, write_result
from spi_lightning.io.dragonfly.output import read_log

FOLDER = Path("runs/native_emc")


def measured(name: str, *overrides: str) -> dict[str, Any]:
    """Numbers of one run and its times."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    numbers = orient(FOLDER / name, *overrides)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    log = read_log(ROOT / FOLDER / name / "EMC.log")
    kept = ("patterns", "orientations", "iteration", "sampling_step_deg", "icosahedral_share", "photons_judged")
    return {
        **{key: numbers[key] for key in kept},
        **numbers["recovery"],
        "p_even": numbers["uniformity"]["p_value"],
        "processor_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "iterations_s": float(log["seconds"].sum()),
        "iteration_s": float(np.median(log["seconds"])),
        "mutual_information": float(log["mutual_information"][-1]),
    }


def main() -> None:
    """Print the table and write benchmarks/results/native_emc.json after every run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dragonfly", nargs="?", help="dragonfly=VENV, the environment Dragonfly is in")
    parser.add_argument("--sets", nargs="+", default=["400x4", "2000x4"], metavar="NxD")
    parser.add_argument("--iterations", type=int, default=18)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    sets = [tuple(map(int, each.split("x"))) for each in options.sets]
    source = simulate(FOLDER / "icosahedra.cxi", "simulate=solid_icosahedra", "patterns=2000", "seed=11")
    result: dict[str, Any] = {"iterations": options.iterations, "runs": read_result("native_emc").get("runs", {})}
    for route in ("native", *(["dragonfly"] if options.dragonfly else [])):
        for count, num_div in sets:
            name = f"{route}_{count}x{num_div}"
            if name in result["runs"]:
                continue
            index = FOLDER / f"first_{count}.txt"
            np.savetxt(index, np.arange(count), fmt="%d")
            chosen = [f"data.path={source}", f"data.keys.index={index}", f"emc.num_div={num_div}", "crop=36"]
            chosen += ["symmetry=icosahedral", f"threads={options.threads}", f"iterations={options.iterations}"]
            chosen += [options.dragonfly] if route == "dragonfly" else ["device=cpu", "tolerance=0"]
            result["runs"][name] = measured(name, *chosen)
            write_result("native_emc", result)
    print("run                  median  90 % below  processor s  s/iteration  p of evenness")
    for name, row in sorted(result["runs"].items()):
        print(
            f"{name:18s} {row['median_error_deg']:7.2f}° {row['error_90_deg']:9.2f}° {row['processor_s']:12.0f}"
            f" {row['iteration_s']:12.1f} {row['p_even']:14.1e}"
        )


if __name__ == "__main__":
    main()
