"""General classifier on twelve simulated experiments, on tori by Han & Li's protocol, and on real files.

python -m benchmarks.general_classifier [--only NAME ...] [--methods NAME_OR_RUN ...] [--quick] [--sheets FOLDER]

Seeds and settings of the experiments stand in experiments.py; none was trained on. Every pair of an experiment and a
method is kept as soon as it is scored, so that an interrupted run goes on where it was, and a method that is named
later joins the table. ``--again`` scores what is kept anew. Two experiments need Dragonfly (DRAGONFLY=VENV, docs:
Orientations); without it and without their files they are left out, and the reason is printed and kept.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import torch

from benchmarks.record import read_result, write_result
from benchmarks.trusted import add_trust
from spi_lightning.errors import UserError
from spi_lightning.fields import KIND, Kind
from spi_lightning.io import PatternFile

from . import real, tori
from .detectors import mask_of
from .experiments import EXPERIMENTS, Experiment
from .facility import make, opened
from .frames import BLANK
from .gallery import contact_sheet
from .scoring import Setting, ceiling, score
from .window import windowed

NAME: Final = "general_classifier"
FOLDER: Final = Path("runs") / NAME
LABELLED: Final = ("graph_cut", "diffusion_map", "random_forest", "pca_neighbours", "gaussian_mixture", "k_means")
METHODS: Final = ("photon_count", *LABELLED)
CEILING: Final = "random_forest"
_QUICK: Final = 60  # frames of an experiment


def main() -> None:
    """Print the table and write benchmarks/results/general_classifier.json (--quick: writes nothing)."""
    options = _options()
    torch.set_num_threads(1)
    kept: dict[str, Any] = {} if options.quick else read_result(NAME)
    for experiment in EXPERIMENTS:
        if options.only and experiment.name not in options.only:
            continue
        numbers = kept.setdefault("experiments", {}).setdefault(experiment.name, {})
        _experiment(experiment, numbers, options, lambda: _keep(kept, options.quick))
        print(_lines(experiment, numbers), flush=True)
    networks = [entry for entry in options.methods if entry not in METHODS]
    if not options.only or "tori" in options.only:
        for entry in networks:
            kept.setdefault("tori", {})[_short(entry)] = tori.score(entry, FOLDER, options.quick)
            _keep(kept, options.quick)
    if not options.only or "real" in options.only:
        for entry in ("photon_count", *networks):
            kept.setdefault("real", {})[_short(entry)] = real.score(entry)
            _keep(kept, options.quick)
    for part in ("tori", "real"):
        for name, numbers in kept.get(part, {}).items():
            print(part, name, numbers)
    print(_summary(kept))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [*(experiment.name for experiment in EXPERIMENTS), "tori", "real"]
    parser.add_argument("--only", nargs="+", choices=names, default=[], metavar="NAME", help=", ".join(names))
    parser.add_argument("--methods", nargs="+", default=METHODS, help="names in conf/method, run folders, weights")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="folder of the files of the experiments")
    parser.add_argument("--draws", type=int, default=3, help="draws of the 20 labelled frames")
    parser.add_argument("--quick", action="store_true", help=f"{_QUICK} frames of each, nothing kept")
    parser.add_argument("--again", action="store_true", help="score again what is kept")
    parser.add_argument("--sheets", type=Path, help="folder for contact sheets of 24 frames of each experiment")
    add_trust(parser)
    return parser.parse_args()


def _experiment(experiment: Experiment, numbers: dict[str, Any], options: argparse.Namespace, keep: Any) -> None:
    """Score the methods that are not yet scored on an experiment, and keep each."""
    frames = min(_QUICK, experiment.frames) if options.quick else experiment.frames
    try:
        path, _, departure = make(experiment, options.folder, frames)
    except UserError as error:
        numbers["left_out"] = str(error)
        return
    numbers.pop("left_out", None)
    patterns, stem = opened(experiment, options.folder, frames), path.stem
    if numbers.get("file") != stem:
        numbers.clear()  # other settings: the numbers are of other frames
        numbers |= {"file": stem, **_facts(experiment, patterns, departure)}
    placed = mask_of(experiment.detector)[1]
    beam = experiment.beam if experiment.beam[0] >= 0 else placed
    assert beam is not None
    if options.sheets:
        contact_sheet(options.sheets / f"{experiment.name}.png", patterns, beam, experiment.speckle)
    done = numbers.setdefault("methods", {})
    wanted = [entry for entry in options.methods if options.again or _short(entry) not in done]
    if not wanted and "ceiling" in numbers:
        return
    middle, setting = windowed(patterns, beam, experiment.speckle), Setting(options.draws)
    for entry in wanted:
        done[_short(entry)] = score(entry, patterns, middle, setting)
        keep()
    if options.again or "ceiling" not in numbers:
        numbers["ceiling"] = ceiling(CEILING, middle, setting)
        keep()


def _facts(experiment: Experiment, patterns: PatternFile, departure: str) -> dict[str, Any]:
    kind = patterns.labels[KIND]
    counts = {
        "frames": len(kind),
        "single_hits": int((kind == Kind.SINGLE).sum()),
        "blanks": int((kind == BLANK).sum()),
    }
    return {"trait": experiment.trait, "shape": list(patterns.shape[1:]), **counts, "departure": departure}


def _short(entry: str) -> str:
    """Name of a method in the table: of a run folder its last part."""
    return Path(entry).name


def _keep(kept: dict[str, Any], quick: bool) -> None:
    if not quick:
        kept["summary"] = summary(kept)
        write_result(NAME, kept)


def summary(kept: dict[str, Any]) -> dict[str, Any]:
    """Mean and worst AUROC of each method over the experiments it was scored on: of all frames, and without blanks."""
    rows: dict[str, list[tuple[float, float]]] = {}
    for experiment in kept.get("experiments", {}).values():
        scored = {name: (one["auroc"], one["auroc_hits"]) for name, one in experiment.get("methods", {}).items()}
        best = [scored[name] for name in LABELLED if name in scored]
        scored |= {"best of 20 labels": max(best)} if best else {}
        if "ceiling" in experiment:
            scored["four fifths of the labels"] = experiment["ceiling"]["auroc"], experiment["ceiling"]["auroc_hits"]
        for name, areas in scored.items():
            rows.setdefault(name, []).append(areas)
    return {name: _spread(areas) for name, areas in rows.items()}


def _spread(areas: Sequence[tuple[float, float]]) -> dict[str, float]:
    every, hits = zip(*areas, strict=True)
    numbers = {"mean": sum(every) / len(every), "worst": min(every), "mean_hits": sum(hits) / len(hits)}
    return {**numbers, "worst_hits": min(hits), "experiments": len(every)}


def _lines(experiment: Experiment, numbers: dict[str, Any]) -> str:
    if "left_out" in numbers:
        return f"{experiment.name}: left out: {numbers['left_out']}"
    counts = f"{numbers['frames']} frames, {numbers['single_hits']} single hits, {numbers['blanks']} blanks"
    rows = [*numbers["methods"].items(), ("four fifths of labels", numbers["ceiling"])]
    return "\n".join([f"{experiment.name}: {counts}", *(_line(name, row) for name, row in rows)])


def _line(name: str, row: dict[str, Any]) -> str:
    keys: Sequence[str] = ("auroc", "auroc_hits", "accuracy", "recall", "precision_at_90_recall")
    words = "  ".join(f"{key} {'-' if row[key] is None else format(row[key], '.3f')}" for key in keys)
    interval = "" if row["low"] is None else f" ({row['low']:.3f}-{row['high']:.3f})"
    return f"  {name:22s} {words}{interval}  {row['seconds']:.1f} s"


def _summary(kept: dict[str, Any]) -> str:
    lines = [f"{'':26s}  mean  worst  hits alone: mean  worst  experiments"]
    for name, r in summary(kept).items():
        numbers = f"{r['mean']:.3f}  {r['worst']:.3f}              {r['mean_hits']:.3f}  {r['worst_hits']:.3f}"
        lines.append(f"{name:26s} {numbers}  {r['experiments']}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
