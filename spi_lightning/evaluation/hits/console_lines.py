"""What an evaluation of hits says on the screen, and of each method on the page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.table import Column, Table
from rich.text import Text

from spi_lightning.console import Terminal
from spi_lightning.methods import CheckpointMethod, Method
from spi_lightning.reports.hits.choice import left_out_of
from spi_lightning.results.predictions import Predictions

from .runner import Asked

SHOWN = {
    "accuracy": "accuracy",
    "auroc": "AUROC",
    "false_positive_rate": "FPR",
    "fpr_at_90_recall": "FPR at 90 % recall",
    "calibration_error": "ECE",
}


def about(method: Method, asked: Asked) -> dict[str, Any]:
    """What a method was, what it was told and what its answer cost."""
    cost, count = asked.cost, len(asked.answer.frame)
    told: dict[str, Any] = {"seconds": round(cost.seconds, 3), "patterns_per_second": round(count / cost.seconds, 1)}
    memory = {"memory_mib": cost.memory_mib, "gpu_memory_mib": cost.gpu_memory_mib}
    told |= {name: round(value) for name, value in memory.items() if value is not None}
    if len(asked.given):
        told["given"] = len(asked.given)
    if asked.cached:
        told["cached"] = "yes"
    if not isinstance(method, CheckpointMethod):
        return told
    weights = sum(parameter.numel() for parameter in method.task.parameters())
    return {"checkpoint": str(method.path), "weights": weights, "device": str(method.device), **told}


def show(
    metrics: dict[str, Any], predictions: Predictions, selection: dict[str, Any], report: Path, warnings: Sequence[str]
) -> None:
    """Print a short table, one line for each method, what to beware of, and where the report lies.

    ``selection`` holds the number of selected ``frames`` and ``why`` their method selects.
    """
    console, shown = Terminal(width=110), SHOWN | {name: name for name in metrics.get("extra", ())}
    stages = [stage for stage in ("test", "test_kept") if f"{stage}/accuracy" in metrics]
    for stage in stages:
        left_out = None
        if stage == "test_kept":
            left_out = f"without {len(predictions.excluded)} frames, excluded or seen in training"
        table = Table(Column(overflow="fold"), *shown.values(), title=left_out, title_justify="left")
        for name, numbers in metrics["methods"].items():
            table.add_row(name, *(_cell(numbers, f"{stage}/{number}") for number in shown))
        console.print(table)
    count = len(predictions.headline.frame)
    headline = predictions.headline
    chosen = selection["frames"]
    line = f"{chosen} of {count} frames selected by {headline.name}, {int(headline.abstain.sum())} uncertain"
    line += left_out_of(chosen, int((headline.decision == 1).sum())) + selection.get("why", "")
    console.print(line, soft_wrap=True)
    for warning in warnings:
        console.print(warning, soft_wrap=True)
    console.print(f"report: {report}", soft_wrap=True)


def _cell(numbers: dict[str, Any], key: str) -> Text:
    value, low, high = (numbers.get(name) for name in (key, f"{key}/low", f"{key}/high"))
    if value is None or low is None or high is None:  # without an interval where all replicates are alike
        return Text("-" if value is None else f"{value:.3f}")
    return Text(f"{value:.3f}\n{low:.2f}–{high:.2f}")
