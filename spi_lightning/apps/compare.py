"""Numbers of several evaluations in one table: python -m spi_lightning.apps.compare RUN [RUN ...]."""

import sys
from pathlib import Path
from typing import Any

from rich.table import Column, Table
from rich.text import Text

from spi_lightning.apps.process.plain_app import run_plain
from spi_lightning.apps.process.plain_arguments import PlainParser, names_kept
from spi_lightning.console import Terminal
from spi_lightning.errors import UserError
from spi_lightning.io.json_file import read_metrics
from spi_lightning.printable import printable
from spi_lightning.tracking import METRICS

SHOWN = {"accuracy": "accuracy", "auroc": "AUROC", "false_positive_rate": "FPR", "frames": "frames"}


def compare(runs: list[Path]) -> Table:
    """One row for each method of each evaluation, with bootstrap 95 % intervals.

    Args:
        runs: Run folders of evaluate.py.

    Raises:
        UserError: A folder holds no metrics of an evaluation, or its file had no labels.
    """
    table = Table(Column("patterns", no_wrap=True), Column("method", no_wrap=True), *SHOWN.values())
    for run in runs:
        for name, numbers in read_methods(run).items():
            table.add_row(run.name, name, *(_cell(numbers, f"test/{number}") for number in SHOWN))
        table.add_section()
    return table


def read_methods(run: Path) -> dict[str, dict[str, Any]]:
    """Method -> its numbers, of one evaluation."""
    if not (run / METRICS).is_file():
        raise UserError(f"{run}: holds no {METRICS}; give a run folder of evaluate.py")
    methods: dict[str, dict[str, Any]] = read_metrics(run / METRICS).get("methods", {})
    if not methods:
        raise UserError(f"{run / METRICS}: holds no scores of methods; was the evaluated file labelled?")
    return methods


def _cell(numbers: dict[str, Any], key: str) -> Text:
    value, low, high = (numbers.get(name) for name in (key, f"{key}/low", f"{key}/high"))
    if value is None:
        return Text("-")
    if not isinstance(value, float):  # a count, or what somebody else has written there
        return Text(printable(value))
    numeric = isinstance(low, float) and isinstance(high, float)
    return Text(f"{value:.3f}\n{low:.2f}–{high:.2f}" if numeric else f"{value:.3f}")


def main() -> int:
    """Compare as the command line says; the exit status."""
    parser = PlainParser(prog="python -m spi_lightning.apps.compare", description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="run folder of evaluate.py")
    return run_plain(lambda: show(parser.parse_args(names_kept(sys.argv[1:])).runs))


def show(runs: list[Path]) -> None:
    """Print the table and where the reports are."""
    console = Terminal()
    console.print(compare(runs))
    for run in runs:
        if (run / "report.html").is_file():
            console.print(f"report: {run / 'report.html'}", soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
