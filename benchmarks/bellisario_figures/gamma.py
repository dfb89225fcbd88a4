"""What gamma does in L3: false negatives against false positives for gamma 1 to 10 (Bellisario & Ekeberg 2024, Eq. 1).

The network of experiment=bellisario_support, trained with the weighted cross-entropy, is trained on with the soft L3
(--steps, 32 patterns each) and cut at 0.5, where its two errors weigh as the loss says.
"""

import argparse
from functools import partial
from pathlib import Path
from typing import Any

from hydra.utils import instantiate

from benchmarks.bellisario_figures.networks import trained
from benchmarks.bellisario_figures.patterns import draw_patterns
from benchmarks.bellisario_figures.short_training import fit, judge
from benchmarks.bellisario_figures.sweeps import plain_ticks
from benchmarks.record import write_result
from spi_lightning.losses import soft_support_penalty
from spi_lightning.reports.style import METHOD_COLOURS, figure
from spi_lightning.tasks import SupportPrediction, find_checkpoint, load_task

GAMMAS, PATTERNS, RATE = (1, 2, 3, 5, 7, 10), 3200, 5e-4
LISTED = ("false_negatives", "false_positives", "covered", "area_ratio", "iou")


def main(options: argparse.Namespace) -> None:
    """Train on for each gamma; print, write and draw."""
    run = find_checkpoint(trained(options, "bellisario_support", options.run))
    train, test = draw_patterns(min(PATTERNS, 32 * options.steps), "train"), draw_patterns(options.patterns)
    rows: dict[int, dict[str, Any]] = {}
    print(f"{'gamma':>6s}" + "".join(f"{key:>17s}" for key in LISTED))
    for gamma in GAMMAS:
        task, _ = load_task(run, instantiate, SupportPrediction)
        assert isinstance(task, SupportPrediction)
        task.loss = partial(soft_support_penalty, gamma=gamma)
        numbers = judge(fit(task, train, options.steps, RATE), test, test, level=0.5)
        rows[gamma] = {key: numbers[key] for key in LISTED}
        print(f"{gamma:6d}" + "".join(f"{rows[gamma][key]:17.3f}" for key in LISTED), flush=True)
        about = {"steps": options.steps, "train_patterns": len(train["frame"]), "test_patterns": options.patterns}
        written = write_result("bellisario_gamma", {**about, "gammas": {str(key): row for key, row in rows.items()}})
    print(written)
    draw(rows, Path(options.pictures) / "bellisario_gamma.png")


def draw(rows: dict[int, dict[str, Any]], path: Path) -> None:
    """One point for each gamma."""
    with figure(5.0, 3.8) as picture:
        axes = picture.subplots()
        missed, loose = ([row[key] for row in rows.values()] for key in LISTED[:2])
        axes.plot(loose, missed, "o-", color=METHOD_COLOURS[0])
        for gamma, x, y in zip(rows, loose, missed, strict=True):
            axes.annotate(f"γ = {gamma}", (x, y), (6, 4), textcoords="offset points", fontsize=9)
        axes.set(xlabel="mean false positives (pixels)", ylabel="mean false negatives (pixels)", yscale="log")
        axes.margins(x=0.15, y=0.1)
        plain_ticks(axes.yaxis)
        picture.savefig(path, dpi=80)
    print(path)
