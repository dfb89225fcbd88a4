"""Table of methods with their numbers and intervals on the screen, and what is printed below it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.table import Column, Table
from rich.text import Text

from spi_lightning.console import Terminal
from spi_lightning.notes import Level, Note, note_lines
from spi_lightning.reports.hits.choice import hits_found, left_out_of
from spi_lightning.results.hits import HitResult
from spi_lightning.results.supports import SupportResult


@dataclass(frozen=True)
class NumberColumn:
    """Column of a table of methods.

    Args:
        key: Name of the number; its interval, if it has one, is ``key/low`` to ``key/high``.
        title: Head of the column.
        form: Format of the number, such as ``.3f`` or ``.1%``; empty: four digits.
        ends: Format of the ends of the interval; empty: that of the number.
    """

    key: str
    title: str
    form: str = ""
    ends: str = ""

    def cell(self, numbers: Mapping[str, Any]) -> Text:
        """Number of one method, its interval below; a dash where it is undefined."""
        value, low, high = (numbers.get(name) for name in (self.key, f"{self.key}/low", f"{self.key}/high"))
        text = "-" if value is None else _formatted(value, self.form).replace("%", " %")
        if value is None or low is None or high is None:  # without an interval where all replicates are alike
            return Text(text)
        low, high = (_formatted(end, self.ends or self.form).removesuffix("%") for end in (low, high))
        return Text(f"{text}\n{low}–{high}")


HITS: Final = {
    "accuracy": "accuracy",
    "auroc": "AUROC",
    "false_positive_rate": "FPR",
    "fpr_at_90_recall": "FPR at 90 % recall",
    "calibration_error": "ECE",
}
SUPPORTS: Final = (
    NumberColumn("test/below_two_false_negatives", "< 2 FN", ".1%"),
    NumberColumn("test/false_negatives", "FN", ".1f"),
    NumberColumn("test/false_positives", "FP", ".1f"),
    NumberColumn("test/area_ratio", "area ratio", ".2f"),
    NumberColumn("test/iou", "IoU", ".2f"),
    NumberColumn("test/centrosymmetry_broken", "asymmetric", ".1%"),
)
WITHOUT_TRUTH: Final = (NumberColumn("test/area", "area", ".1f"), SUPPORTS[-1])
VOLUMES: Final = (
    NumberColumn("chi_square", "χ² fitted"),
    NumberColumn("held_out_chi_square", "χ² held out"),
    NumberColumn("correlation", "r_p"),
    NumberColumn("held_out_correlation", "r_p held out"),
    NumberColumn("free_voxels", "free voxels"),
    NumberColumn("density_error", "density error"),
    NumberColumn("seconds_per_run", "s / run"),
)


def print_hits(result: HitResult, report: Path) -> None:
    """Print numbers of each method, the number of selected frames, hints and warnings, and the path of the report."""
    metrics, primary = result.metrics, result.primary
    numbers = HITS | {name: name for name in metrics.get("extra", ())}
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
    line += f"{hits_found(result)}{left_out_of(chosen, taken)}{result.selected.reason}"
    print_summary(tables, [line], result.notes, report, Level.HINT)


def print_supports(result: SupportResult, report: Path) -> None:
    """Print one line for each method, the notes, and the path of the report."""
    columns = (*(WITHOUT_TRUTH if result.truth is None else SUPPORTS), NumberColumn("ms", "ms / pattern", ".2f"))
    scores = result.metrics["methods"]
    numbers = {method.name: {**scores[method.name], "ms": method.ms_per_pattern} for method in result.methods}
    sentence = "no true densities in this file: supports are displayed and compared with each other"
    print_summary([methods_table(numbers, columns)], [sentence] * (result.truth is None), result.notes, report)


def print_volumes(metrics: Mapping[str, Any], notes: Iterable[Note], report: Path) -> None:
    """Print the medians of each method as far as they are known, the notes, and the path of the report."""
    methods = metrics["methods"]
    columns = [one for one in VOLUMES if any(one.key in numbers for numbers in methods.values())]
    print_summary([methods_table(methods, columns, "medians over runs")], [], notes, report)


def methods_table(
    methods: Mapping[str, Mapping[str, Any]], columns: Sequence[NumberColumn], title: str | None = None
) -> Table:
    """Table of methods: one row each, one column a number.

    Args:
        methods: Name of a method -> its numbers, as in metrics.json.
        columns: Numbers to print, from left to right.
        title: Line above the table.
    """
    table = Table(Column(overflow="fold"), *(column.title for column in columns), title=title, title_justify="left")
    for name, numbers in methods.items():
        table.add_row(name, *(column.cell(numbers) for column in columns))
    return table


def print_summary(
    tables: Iterable[Table], lines: Iterable[str], notes: Iterable[Note], report: Path, least: Level = Level.NOTE
) -> None:
    """Print the end of an evaluation: tables, further lines, notes by their level, and the path of the report.

    Args:
        tables: Tables of the methods' numbers.
        lines: Sentences below the tables.
        notes: Notes on the data, the methods and the numbers.
        report: Path of the page.
        least: Lowest level of a note that is printed.
    """
    console = Terminal(width=120)
    for table in tables:
        console.print(table)
    for line in (*lines, *note_lines(notes, least), f"report: {report}"):
        console.print(line, soft_wrap=True, highlight=False)


def print_note(note: Note) -> None:
    """Print a note of a method, while it works, to the standard error."""
    Terminal(stderr=True).print(str(note), soft_wrap=True, highlight=False)


def _formatted(value: float, form: str) -> str:
    return format(value, form or (".2e" if 0 < abs(value) < 1e-3 else ".4g"))
