"""What gamma does in L3: false negatives against false positives for gamma 1 to 10 (Bellisario & Ekeberg 2024, Eq. 1).

The network of experiment=bellisario_support, trained with the weighted cross-entropy, is trained on for 300 steps with
the soft L3 and cut at 0.5, where its two errors weigh as the loss says; the validation sets no threshold here.
"""

import argparse
import time
from pathlib import Path
from typing import Any

from matplotlib.ticker import NullFormatter, ScalarFormatter

from benchmarks.bellisario_figures.networks import trained
from benchmarks.doors import train
from benchmarks.record import write_result
from spi_lightning.reports.style import METHOD_COLOURS, figure

GAMMAS, STEPS = (1, 2, 3, 5, 7, 10), 300
SHOWN = ("false_negatives", "false_positives", "covered", "area_ratio", "iou")


def overrides(options: argparse.Namespace, gamma: float) -> list[str]:
    """The command line of one training."""
    return [
        "experiment=bellisario_support",
        f"checkpoint={trained(options, 'bellisario_support', options.run)}",
        "loss=support_penalty",
        f"loss.gamma={gamma}",
        "task.threshold=0.5",
        "optimizer.lr=5.0e-4",
        f"data.patterns={{train: {32 * STEPS}, val: 1000, test: 1000}}",
        f"data.cache_dir={Path(options.cache).resolve()}",
        f"trainer.max_steps={STEPS}",
    ]


def main(options: argparse.Namespace) -> None:
    """Train what is not there until the minutes are used up; print, write and draw."""
    rows: dict[int, dict[str, Any]] = {}
    begun = time.monotonic()
    print(f"{'gamma':>6s}" + "".join(f"{key:>17s}" for key in SHOWN))
    for gamma in GAMMAS:
        folder = (Path(options.runs) / "gamma" / f"gamma_{gamma}").resolve()
        if time.monotonic() - begun > 60 * options.minutes and not (folder / "metrics.json").is_file():
            continue
        numbers = train(folder, *overrides(options, gamma))
        rows[gamma] = {key: numbers[f"test/{key}"] for key in SHOWN}
        print(f"{gamma:6d}" + "".join(f"{rows[gamma][key]:17.3f}" for key in SHOWN), flush=True)
    print(write_result("bellisario_gamma", {"steps": STEPS, "gammas": {str(key): row for key, row in rows.items()}}))
    draw(rows, Path(options.pictures) / "bellisario_gamma.png")


def draw(rows: dict[int, dict[str, Any]], path: Path) -> None:
    """One point for each gamma."""
    with figure(5.0, 3.8) as picture:
        axes = picture.subplots()
        missed, loose = ([row[key] for row in rows.values()] for key in SHOWN[:2])
        axes.plot(loose, missed, "o-", color=METHOD_COLOURS[0])
        for gamma, x, y in zip(rows, loose, missed, strict=True):
            axes.annotate(f"γ = {gamma}", (x, y), (6, 4), textcoords="offset points", fontsize=9)
        axes.set(xlabel="mean false positives (pixels)", ylabel="mean false negatives (pixels)", yscale="log")
        axes.yaxis.set_major_formatter(ScalarFormatter())
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.margins(x=0.15, y=0.1)
        picture.savefig(path, dpi=80)
    print(path)
