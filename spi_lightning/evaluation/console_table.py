"""Table of methods with their numbers and intervals on the screen, and what is printed below it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Column, Table
from rich.text import Text

from spi_lightning.console import Terminal
from spi_lightning.notes import Level, Note, note_lines


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


def _formatted(value: float, form: str) -> str:
    return format(value, form or (".2e" if 0 < abs(value) < 1e-3 else ".4g"))
