"""What goes in, what comes out, which loss, which network: the comparison of Bellisario & Ekeberg (2024), Sect. 2.

Every cell is the same short training: 64 x 64 pixels, --steps of 32 patterns out of the same 3,200, one cycle of Adam,
and the threshold at which 97 % of the validation patterns have fewer than two false negatives. Both inputs are square
roots, so that they differ in kind alone. Cross-entropies weigh pixels inside 5 times, squared errors are relative to
each pattern, L3 has gamma = 5 and starts from random weights (the cells "L3, warm" from those of the cross-entropy, for
densities of the squared error, and have had twice the steps). Finished cells in the folder of runs are reused.
"""

import argparse
import itertools
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.bellisario_figures.patterns import draw_patterns
from benchmarks.bellisario_figures.short_training import fit, judge, make_task
from benchmarks.record import write_result
from spi_lightning.fields import Batch
from spi_lightning.files import write_text
from spi_lightning.reports.style import METHOD_COLOURS, figure
from spi_lightning.tasks import SupportPrediction

PATTERNS, WARM_RATE = 3200, 1e-3
INPUTS, OUTPUTS = ("autocorrelation", "intensity"), ("support", "density")
LOSSES, NETWORKS = ("BCE", "MSE", "L3", "L3, warm"), ("encoder-decoder", "U-Net")
LISTED = ("covered", "false_negatives", "false_positives", "area_ratio", "iou", "worst_structure", "centrosymmetry")
_NETWORK = {
    "encoder-decoder": ("bellisario_support", 3e-3, ()),
    "U-Net": ("bellisario_unet", 2e-3, ("network.widths=[8,16,32,64,128]",)),
}


@dataclass(frozen=True)
class Cell:
    """One combination; ``name`` is that of its files."""

    input: str
    output: str
    loss: str
    network: str

    @property
    def name(self) -> str:
        """Words joined by underscores."""
        words = "_".join((self.input, self.output, self.loss, self.network))
        return words.lower().replace(", ", "_").replace("-", "_")

    @property
    def begins_from(self) -> "Cell | None":
        """The cell whose weights this one starts from."""
        if self.loss != "L3, warm":
            return None
        return Cell(self.input, self.output, "BCE" if self.output == "support" else "MSE", self.network)


def cells() -> Iterator[Cell]:
    """All 32, the most telling first, for loops that are cut short: the paper's 24, then those that start warm."""
    for losses in (LOSSES[:3], LOSSES[3:]):
        for network, kind, output, loss in itertools.product(NETWORKS, INPUTS, OUTPUTS, losses):
            yield Cell(kind, output, loss, network)


def overrides(cell: Cell) -> list[str]:
    """What of the settings of spi train makes one cell."""
    experiment, _, narrow = _NETWORK[cell.network]
    density = cell.output == "density" and cell.loss != "BCE"  # the network answers a density, else logits
    loss = {"BCE": "support_cross_entropy", "MSE": "squared_error"}.get(cell.loss, "support_penalty")
    return [
        f"experiment={experiment}",
        *narrow,
        f"preprocess.kinds=[{cell.input}]",
        f"task.target={cell.output}",
        f"task.logits={not density}",
        f"loss={loss}",
    ]


def trained(cell: Cell, folder: Path, patterns: Batch, steps: int) -> SupportPrediction:
    """One cell's task, trained; its weights are left in the folder."""
    task, before = make_task(overrides(cell)), cell.begins_from
    if before is not None:
        task.load_state_dict(torch.load(folder / f"{before.name}.pt", weights_only=True))
    fit(task, patterns, steps, WARM_RATE if before else _NETWORK[cell.network][1])
    torch.save(task.state_dict(), folder / f"{cell.name}.pt")
    return task


def main(options: argparse.Namespace) -> None:
    """Train what is not there until the minutes are used up; print, write and draw all that is."""
    folder, begun = Path(options.runs) / f"ablation_{options.steps}", time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    train = draw_patterns(PATTERNS, "train")
    val, test = draw_patterns(200, "val"), draw_patterns(options.patterns)
    rows: dict[str, dict[str, Any]] = {}
    print(f"{'input':16s}{'output':8s}{'loss':9s}{'network':16s}" + "".join(f"{key[:9]:>10s}" for key in LISTED))
    for cell in cells():
        path = folder / f"{cell.name}.json"
        if not path.is_file():
            if time.monotonic() - begun > 60 * options.minutes:
                continue
            task = trained(cell, folder, train, options.steps)
            write_text(path, json.dumps({**vars(cell), **judge(task, val, test)}))
        rows[cell.name] = json.loads(path.read_text())
        words = f"{cell.input:16s}{cell.output:8s}{cell.loss:9s}{cell.network:16s}"
        print(words + "".join(f"{rows[cell.name][key]:10.3f}" for key in LISTED), flush=True)
        about = {"steps": options.steps, "batch": 32, "train_patterns": PATTERNS, "test_patterns": options.patterns}
        written = write_result("bellisario_ablation", {**about, "cells": rows})
    print(f"{len(rows)} of {len(list(cells()))} cells\n{written}")
    draw(rows, Path(options.pictures) / "bellisario_ablation.png")


def draw(rows: dict[str, dict[str, Any]], path: Path) -> None:
    """False positives of each cell; cells below 95 % coverage are hollow, for there they are no merit."""
    lines = list(itertools.product(INPUTS, OUTPUTS, NETWORKS))
    with figure(7.8, 7.0) as picture:
        axes = picture.subplots()
        for number, loss in enumerate(LOSSES):
            for line, (kind, output, network) in enumerate(lines):
                row = rows.get(Cell(kind, output, loss, network).name)
                if row is None:
                    continue
                colour, y = METHOD_COLOURS[number], line + 0.22 * (number - 1.5)
                face = colour if row["covered"] >= 0.95 else "white"
                axes.plot(row["false_positives"], y, "o", color=colour, markerfacecolor=face, markersize=7)
                text = f"{100 * row['covered']:.0f} %"
                axes.annotate(text, (row["false_positives"], y), (6, -3), textcoords="offset points", fontsize=6.5)
        for number, loss in enumerate(LOSSES):
            axes.plot([], [], "o", color=METHOD_COLOURS[number], label=loss)
        axes.plot([], [], "o", color="black", markerfacecolor="white", label="covers < 95 %")
        axes.set_yticks(np.arange(len(lines)), [", ".join(line) for line in lines])
        axes.invert_yaxis()
        axes.set(xlabel="mean false positives (pixels)", title="beside: patterns with < 2 false negatives")
        axes.set_xscale("symlog", linthresh=10)  # an empty answer has none
        axes.set_xlim(-1, 12000)
        for line in range(1, len(lines)):
            axes.axhline(line - 0.5, color="#d3d8de", linewidth=0.8)
        picture.legend(loc="outside upper center", ncols=5, fontsize=8)
        picture.savefig(path, dpi=90)
    print(path)
