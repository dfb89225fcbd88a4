"""What an evaluation of hits says on the screen, and of each method on the page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spi_lightning.evaluation.console_table import NumberColumn, methods_table, print_summary
from spi_lightning.methods import CheckpointMethod, Method
from spi_lightning.notes import Level, Note
from spi_lightning.reports.hits.choice import left_out_of
from spi_lightning.results.predictions import Predictions

from .runner import Asked

NUMBERS = {
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
    metrics: dict[str, Any], predictions: Predictions, selection: dict[str, Any], report: Path, remarks: Sequence[Note]
) -> None:
    """Print a short table, one line for each method, what to beware of, and where the report lies.

    ``selection`` holds the number of selected ``frames`` and ``why`` their method selects.
    """
    numbers = NUMBERS | {name: name for name in metrics.get("extra", ())}
    left_out = f"without {len(predictions.excluded)} frames, excluded or seen in training"
    tables = [
        methods_table(
            metrics["methods"],
            [NumberColumn(f"{stage}/{name}", title, ".3f", ".2f") for name, title in numbers.items()],
            title,
        )
        for stage, title in (("test", None), ("test_kept", left_out))
        if f"{stage}/accuracy" in metrics
    ]
    headline, chosen = predictions.headline, selection["frames"]
    line = f"{chosen} of {len(headline.frame)} frames selected by {headline.name}, {int(headline.abstain.sum())}"
    line += f" uncertain{left_out_of(chosen, int((headline.decision == 1).sum()))}{selection.get('why', '')}"
    print_summary(tables, [line], remarks, report, Level.HINT)
