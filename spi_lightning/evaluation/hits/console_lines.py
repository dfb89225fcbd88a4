"""Summary of an evaluation of hits on the screen."""

from __future__ import annotations

from pathlib import Path

from spi_lightning.evaluation.console_table import NumberColumn, methods_table, print_summary
from spi_lightning.notes import Level
from spi_lightning.reports.hits.choice import left_out_of
from spi_lightning.results.hits import HitResult

NUMBERS = {
    "accuracy": "accuracy",
    "auroc": "AUROC",
    "false_positive_rate": "FPR",
    "fpr_at_90_recall": "FPR at 90 % recall",
    "calibration_error": "ECE",
}


def print_hits(result: HitResult, report: Path) -> None:
    """Print numbers of each method, the number of selected frames, hints and warnings, and the path of the report."""
    metrics, primary = result.metrics, result.primary
    numbers = NUMBERS | {name: name for name in metrics.get("extra", ())}
    left_out = f"without {len(result.excluded)} frames, excluded or of a method's training"
    tables = [
        methods_table(
            metrics["methods"],
            [NumberColumn(f"{stage}/{name}", title, ".3f", ".2f") for name, title in numbers.items()],
            title,
        )
        for stage, title in (("test", None), ("test_kept", left_out))
        if f"{stage}/accuracy" in metrics
    ]
    chosen, taken = len(result.selected.frame), int(primary.decision.sum())
    line = f"{chosen} of {result.shape[0]} frames selected by {primary.name}, {int(primary.abstain.sum())} uncertain"
    print_summary(
        tables, [f"{line}{left_out_of(chosen, taken)}{result.selected.reason}"], result.notes, report, Level.HINT
    )
