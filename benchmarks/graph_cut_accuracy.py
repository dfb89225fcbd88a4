"""How well few labelled frames do: graph cut and scikit-learn's references on simulated patterns.

python -m benchmarks.graph_cut_accuracy [--draws 5] [--checkpoints RUN ...] [--variants] [--methods graph_cut ...]

Two sets of 5,000 patterns of conf/simulate/hits.yaml: single hits and clusters alone, and with its contaminants.
10 frames of each class are given, drawn anew each time, and left out of the score. A frame on which a method abstains
counts by its decision. --variants tries other vectors and graphs for the graph cut. Checkpoints see no labels, so that
all frames are scored.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from benchmarks.doors import ROOT, simulate
from benchmarks.record import write_result
from spi_lightning.evaluation.hits import HitMethod, evaluate_hits
from spi_lightning.evaluation.hits.question import LabelledSubset, needs_labels
from spi_lightning.io import open_patterns
from spi_lightning.io.patterns.pattern_file import PatternFile
from spi_lightning.methods import CheckpointMethod

CLUSTERS = "{single:0.5,double:0.17,triple:0.11,quadruple:0.08,many:0.14,contaminant:0}"
SETS = {"single/cluster": [f"simulate.scene.kinds={CLUSTERS}", "seed=11"], "all kinds": ["seed=12"]}
METHODS = ("graph_cut", "random_forest", "k_means", "gaussian_mixture", "spectral", "pca_neighbours", "photon_count")
FOLDER = Path("runs/graph_cut_accuracy")
PIXELS = {"_target_": "spi_lightning.baselines.PixelVectors", "bin": 2, "scale": "sqrt"}
VARIANTS: dict[str, dict[str, Any]] = {
    "pixels": {"vectors": PIXELS},
    "modulation alone": {"vectors": {"profile": 0.0, "brightness": 0.0}},
    "profile x 3": {"vectors": {"profile": 3.0}},
    "brightness x 10": {"vectors": {"brightness": 1.0}},
    "1 order": {"vectors": {"orders": 1}},
    "6 orders": {"vectors": {"orders": 6}},
    "12 rings": {"vectors": {"rings": 12}},
    "40 rings": {"vectors": {"rings": 40}},
    "4 neighbours": {"neighbours": 4},
    "10 neighbours": {"neighbours": 10},
    "smoothness 0.3": {"smoothness": 0.3},
    "smoothness 1": {"smoothness": 1.0},
    "smoothness 10": {"smoothness": 10.0},
    "given frames free": {"hold_labelled": False},
    "rows": {"ball": "rows"},
}


def make(name: str, **changes: Any) -> HitMethod:
    """A method of conf/method/, with some settings changed."""
    settings = OmegaConf.load(ROOT / "conf" / "method" / f"{name}.yaml")
    vectors = changes.get("vectors", {})
    if "_target_" in vectors:
        settings.pop("vectors")
    method: HitMethod = instantiate(OmegaConf.merge(settings, changes), _partial_=True, _convert_="all")(name=name)
    return method


def score(method: HitMethod, patterns: PatternFile, draws: int) -> dict[str, Any]:
    """Mean and spread over draws of the labelled frames, of accuracy, AUC, share of abstentions and seconds."""
    rows = []
    for seed in range(draws if needs_labels(method) else 1):
        subset = LabelledSubset(per_class=10, seed=seed)
        result = evaluate_hits(
            patterns, [method], subset=subset, replicates=1, hit_threshold=None, gallery=0, occlusion=0
        )
        numbers = [result.metrics[f"test/{name}"] for name in ("accuracy", "auroc", "abstained")]
        rows.append([*numbers, result.methods[method.name].cost.seconds])
    table = np.array(rows)
    names = ("accuracy", "auroc", "abstaining", "seconds")
    found = {name: {"mean": table[:, i].mean(), "spread": table[:, i].std()} for i, name in enumerate(names)}
    return {**found, "least_accuracy": table[:, 0].min()}


def methods(options: argparse.Namespace) -> Iterator[tuple[str, HitMethod]]:
    """What is compared, by name."""
    yield from ((name, make(name)) for name in options.methods)
    for run in options.checkpoints:
        yield run, CheckpointMethod(run, run, instantiate)
    if options.variants:
        yield from ((f"graph_cut, {name}", make("graph_cut", **changes)) for name, changes in VARIANTS.items())


def main() -> None:
    """Print the tables and write benchmarks/results/graph_cut_accuracy.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--checkpoints", nargs="*", default=[])
    parser.add_argument("--methods", nargs="*", default=METHODS)
    parser.add_argument("--variants", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    result: dict[str, Any] = {}
    compared = list(methods(options))
    for title, overrides in SETS.items():
        path = simulate(FOLDER / f"{title.replace('/', '_').replace(' ', '_')}.cxi", "patterns=5000", *overrides)
        patterns = open_patterns(path)
        print(f"{title}, {len(patterns):,} patterns, 10 given of each class, {options.draws} draws:", flush=True)
        for name, method in compared:
            row = result.setdefault(title, {})[name] = score(method, patterns, options.draws)
            displayed = "  ".join(f"{key} {row[key]['mean']:.3f} ± {row[key]['spread']:.3f}" for key in list(row)[:3])
            print(f"  {name:32s} {displayed}  {row['seconds']['mean']:.1f} s", flush=True)
    print(write_result("graph_cut_accuracy", {"draws": options.draws, **result}))


if __name__ == "__main__":
    main()
