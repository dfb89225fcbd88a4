"""Rates at which the warning of a foreign file is false or missing, over the simulated experiments.

python -m benchmarks.general_classifier.domain_check [--method general] [--folder FOLDER] [--only NAME ...]

A network is good on a file where its area under ROC among the hits is at least 0.95 by the labels of the benchmark. A
warning there is a false alarm; none on another file is a miss. The check itself sees no label.
"""

import argparse
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from benchmarks.record import read_result, write_result
from benchmarks.trusted import add_trust
from spi_lightning.api.evaluation import method_of
from spi_lightning.errors import UserError
from spi_lightning.evaluation.hits import evaluate_hits
from spi_lightning.evaluation.hits.summary import domain_of
from spi_lightning.fields import KIND

from .experiments import EXPERIMENTS
from .facility import opened
from .frames import BLANK

NAME: Final = "domain_check"
GOOD: Final = 0.95  # area under ROC among hits


def main() -> None:
    """Print a line for each experiment and write benchmarks/results/domain_check.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", default="general", help="name of shipped weights, or a run folder")
    parser.add_argument("--folder", type=Path, default=Path("runs/general_classifier"), help="folder of the files")
    parser.add_argument("--only", nargs="+", choices=[each.name for each in EXPERIMENTS], metavar="NAME")
    add_trust(parser)
    wanted = parser.parse_args()
    torch.set_num_threads(1)
    kept = read_result(NAME)
    rows = kept.setdefault(Path(wanted.method).name, {}).setdefault("experiments", {})
    for experiment in EXPERIMENTS:
        if wanted.only and experiment.name not in wanted.only:
            continue
        try:
            patterns = opened(experiment, wanted.folder, experiment.frames)
        except UserError as error:
            print(f"{experiment.name}: left out: {error}")
            continue
        rows[experiment.name] = _checked(wanted.method, patterns)
        print(experiment.name, rows[experiment.name], flush=True)
        kept[Path(wanted.method).name] |= _rates(rows)
        write_result(NAME, kept)
    print({name: value for name, value in _rates(rows).items()})


def _checked(entry: str, patterns: Any) -> dict[str, Any]:
    """What the check says of a file, and whether the network is good on it."""
    method, blank = method_of(entry, "hits"), np.flatnonzero(patterns.labels[KIND] == BLANK)
    result = evaluate_hits(
        patterns, [method], excluded=blank, replicates=20, hit_threshold=None, gallery=0, occlusion=0
    )
    numbers = result.metrics["methods"][method.name]
    area = numbers.get("test_kept/auroc", numbers["test/auroc"])
    found = domain_of(result.primary) or {}
    names = ("outside", "beyond_most", "differs")
    return {"auroc_hits": area, "warns": not found["alike"], **{name: found.get(name) for name in names}}


def _rates(rows: dict[str, Any]) -> dict[str, Any]:
    good = [row for row in rows.values() if row["auroc_hits"] >= GOOD]
    bad = [row for row in rows.values() if row["auroc_hits"] < GOOD]
    return {
        "good": len(good),
        "false_alarms": sum(row["warns"] for row in good),
        "bad": len(bad),
        "missed": sum(not row["warns"] for row in bad),
    }


if __name__ == "__main__":
    main()
