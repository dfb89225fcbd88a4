"""spi tune on the test experiments and on PR772, without any label: the general network before and after.

python -m benchmarks.general_classifier.tuned [--only NAME ...] [--folder FOLDER] [--words WORD ...]

Each experiment is tuned by the command, from the file that the facility wrote, in a run folder below runs/tuned; the
labels are read for the scores alone. A run that is there is scored, not made again.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.record import read_result, write_result
from benchmarks.sim_to_real import DOUBTFUL
from spi_lightning.io import open_patterns
from spi_lightning.locations import structures_folder

from .experiments import EXPERIMENTS, Experiment
from .facility import make, opened
from .scoring import Numbers, Setting, evaluated, score

NAME: Final = "tuned_classifier"
RUNS: Final = Path("runs/tuned")
PR772: Final = "pr772"
_KEYS: Final = ("data.keys.photons=patterns", "data.keys.mask=mask", "data.mask_convention=bad")
_SHOWN: Final = ("auroc", "auroc_hits", "accuracy", "recall", "precision_at_90_recall")


def main() -> None:
    """Print a line for every experiment and write benchmarks/results/tuned_classifier.json."""
    options = _options()
    kept: dict[str, Any] = read_result(NAME)
    for experiment in EXPERIMENTS:
        if options.only and experiment.name not in options.only:
            continue
        path, _, _ = make(experiment, options.folder, experiment.frames)
        seconds = _tune(experiment.name, path, [*_reading(experiment), *options.words])
        patterns = opened(experiment, options.folder, experiment.frames)
        numbers = {entry: score(entry, patterns, patterns, Setting()) for entry in _entries(experiment.name)}
        _keep(kept, experiment.name, numbers, seconds)
    if not options.only or PR772 in options.only:
        path = structures_folder().parent / "spi/pr772_dev.h5"
        seconds = _tune(PR772, path, [*_KEYS, *options.words])
        file = open_patterns(path, photons="patterns", label="labels", mask="mask", mask_convention="bad")
        numbers = {entry: evaluated(entry, file, np.array(DOUBTFUL)) for entry in _entries(PR772)}
        _keep(kept, PR772, numbers, seconds)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [*(experiment.name for experiment in EXPERIMENTS), PR772]
    parser.add_argument("--only", nargs="+", choices=names, default=[], metavar="NAME", help=", ".join(names))
    parser.add_argument("--folder", type=Path, default=Path("runs/general_classifier"), help="folder of the files")
    parser.add_argument("--words", nargs="+", default=[], help="further settings of spi tune")
    return parser.parse_args()


def _reading(experiment: Experiment) -> list[str]:
    """What a user must say to have the file read."""
    words = ["data.mask_convention=bad"] if experiment.facility == "plain_mask" else []
    return [*words, *([f"data.adu_per_photon={experiment.adu_per_photon}"] if experiment.adu_per_photon else [])]


def _entries(name: str) -> tuple[str, str]:
    return "general", str(RUNS / name)


def _tune(name: str, path: Path, words: list[str]) -> float | None:
    """Run ``spi tune`` unless its run is there; seconds it took."""
    folder, began = RUNS / name, time.perf_counter()
    if (folder / "tuned.json").is_file():
        return None
    command = ["tune", str(path), "labels.most=0", "+train.tracking=disabled", f"out={folder}", *words]
    subprocess.run([sys.executable, "-m", "spi_lightning", *command], check=True)
    return time.perf_counter() - began


def _keep(kept: dict[str, Any], name: str, numbers: dict[str, Numbers], seconds: float | None) -> None:
    """Print and write the numbers of one experiment."""
    entry = dict(zip(("before", "tuned"), numbers.values(), strict=True))
    entry["seconds"] = kept.get(name, {}).get("seconds") if seconds is None else seconds  # type: ignore[assignment]
    kept[name] = entry
    write_result(NAME, kept)
    for which in ("before", "tuned"):
        shown = "  ".join(f"{key} {entry[which].get(key) or 0:.3f}" for key in _SHOWN)
        print(f"{name:20s} {which:7s} {shown}", flush=True)


if __name__ == "__main__":
    main()
