"""Table of the numbers of evaluations side by side."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from rich.table import Column, Table
from rich.text import Text

from spi_lightning.console import Terminal
from spi_lightning.errors import UserError
from spi_lightning.io.reading import read_metrics
from spi_lightning.printable import printable

from .short_names import short_names

NUMBERS: Final = {"accuracy": "accuracy", "auroc": "AUROC", "false_positive_rate": "FPR", "frames": "frames"}


def print_runs(runs: Sequence[Path]) -> None:
    """Print the table of runs and where their reports are; UserError where a folder holds no evaluation."""
    console = Terminal()
    console.print(runs_table(runs))
    for report in (run / "report.html" for run in runs):
        if report.is_file():
            console.print(f"report: {report}", soft_wrap=True)


def runs_table(runs: Sequence[Path]) -> Table:
    """Table with a row for each method of each evaluation, with bootstrap 95 % intervals.

    Args:
        runs: Run folders of evaluate.py.

    Raises:
        UserError: A folder holds no metrics of an evaluation, or its patterns have no labels.
    """
    methods = [read_methods(run) for run in runs]
    short = [short_names(list(numbers)) for numbers in methods]
    widest = max((len(name) for names in short for name in names.values()), default=0)
    heads = (Column(head, no_wrap=True) for head in NUMBERS.values())  # numbers are whole, long names wrap
    table = Table(Column("patterns", overflow="fold"), Column("method", overflow="fold", min_width=widest), *heads)
    for run, each, names in zip(runs, methods, short, strict=True):
        for name, numbers in each.items():
            table.add_row(run.name, names[name], *(_cell(numbers, f"test/{number}") for number in NUMBERS))
        table.add_section()
    return table


def read_methods(run: Path) -> dict[str, dict[str, Any]]:
    """Numbers of one evaluation, by method and name.

    Raises:
        UserError: As runs_table.
    """
    path = run / "metrics.json"
    if not path.is_file():
        raise UserError(f"{run}: holds no {path.name}; name a run folder of evaluate.py")
    methods: dict[str, dict[str, Any]] = read_metrics(path).get("methods", {})
    if not methods:
        raise UserError(f"{path}: holds no scores of methods; evaluate a file with labels")
    return methods


def _cell(numbers: dict[str, Any], key: str) -> Text:
    value, low, high = (numbers.get(name) for name in (key, f"{key}/low", f"{key}/high"))
    if value is None:
        return Text("-")
    if not isinstance(value, float):  # a count, or what another program has written there
        return Text(printable(value))
    numeric = isinstance(low, float) and isinstance(high, float)
    return Text(f"{value:.3f}\n{low:.2f}–{high:.2f}" if numeric else f"{value:.3f}")
