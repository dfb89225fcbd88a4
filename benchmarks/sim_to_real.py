"""From simulation to the real virus: both experiments, several seeds, scored once on pr772_dev.h5.

python -m benchmarks.sim_to_real [--seeds 5] [--experiments han_resnet10 shi_tiny_cnn] [--pure]

Finished runs in runs/EXPERIMENT/seedN are reused. --pure trains without the annotators' threshold of brightness.
"""

import argparse
import os
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from benchmarks.doors import evaluate, train
from benchmarks.record import read_result, write_result

DOUBTFUL = [6, 8, 9, 15, 16, 19, 24]  # frames whose label the data's own README calls doubtful
LISTED = ("accuracy", "auroc", "false_positive_rate")


def real_patterns() -> list[str]:
    """Overrides that name the real patterns."""
    path = Path(os.environ.get("SPI_DATA", "../shared/data")) / "spi" / "pr772_dev.h5"
    keys = ["data.keys.photons=patterns", "data.keys.label=labels", "data.keys.mask=mask", "data.mask_convention=bad"]
    return [f"data.path={path}", *keys, f"data.exclude={DOUBTFUL}"]


def measure(experiment: str, seeds: int, pure: bool) -> dict[str, Any]:
    """Train every seed, score each on the real patterns, then their ensemble."""
    name = f"{experiment}_pure" if pure else experiment
    extra = ["simulate.usable_photons=0"] if pure else []
    folders = [Path("runs") / name / f"seed{seed}" for seed in range(seeds)]
    trained = [train(f, f"experiment={experiment}", f"seed={s}", *extra) for s, f in enumerate(folders)]
    rows = [
        evaluate(Path("runs") / name / f"real{s}", f"checkpoint={f}", *real_patterns()) for s, f in enumerate(folders)
    ]
    both = evaluate(Path("runs") / name / "real", f"checkpoint=[{','.join(map(str, folders))}]", *real_patterns())
    summary = {}
    for part in ("test", "test_kept"):
        for key in LISTED:
            values = [row[f"{part}/{key}"] for row in rows]
            spread = stdev(values) if seeds > 1 else 0.0
            summary[f"{part}/{key}"] = {"mean": mean(values), "spread": spread, "each": values}
    ensemble = {
        key: both[key] for key in both if key.split("/")[0] in ("test", "test_kept") and isinstance(both[key], float)
    }
    minutes = [t["train/seconds"] / 60 for t in trained]
    return {"minutes": minutes, "validation": [t["val/auroc"] for t in trained], "real": summary, "ensemble": ensemble}


def main() -> None:
    """Print the table and write benchmarks/results/sim_to_real*.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--experiments", nargs="+", default=["han_resnet10", "shi_tiny_cnn"])
    parser.add_argument("--pure", action="store_true")
    options = parser.parse_args()
    result = {name: measure(name, options.seeds, options.pure) for name in options.experiments}
    name = "sim_to_real_pure" if options.pure else "sim_to_real"
    path = write_result(name, {**read_result(name), "seeds": options.seeds, **result})  # other experiments stay
    print(f"pr772_dev.h5, 25 real patterns (18 without doubtful labels), {options.seeds} seeds, mean ± spread:")
    for name, numbers in result.items():
        for key, value in numbers["real"].items():
            spread = f"{value['mean']:.3f} ± {value['spread']:.3f}"
            print(f"  {name:14s} {key:32s} {spread}   ensemble {numbers['ensemble'][key]:.3f}")
        print(f"  {name:14s} training {mean(numbers['minutes']):.1f} minutes a seed")
    print(path)


if __name__ == "__main__":
    main()
