"""Table of the numbers of a training for the terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table


def numbers_table(numbers: Mapping[str, Any], names: Sequence[str], title: str) -> Table:
    """Table with a row for each number: its validation and its test.

    Args:
        numbers: Numbers by stage and name, such as ``val/accuracy``.
        names: Names of the numbers to print; a number that neither stage has is left out.
        title: Line above the table.
    """
    table = Table("", "validation", "test", title=title)
    for name in names:
        values = [numbers.get(f"{stage}/{name}") for stage in ("val", "test")]
        if any(value is not None for value in values):
            table.add_row(name, *("-" if value is None else _short(value) for value in values))
    return table


def _short(value: float) -> str:
    """Number with four digits, in powers of ten below 0.001."""
    if float(value).is_integer() and abs(value) >= 100:
        return f"{value:.0f}"  # a count
    return f"{value:.2e}" if 0 < abs(value) < 1e-3 else f"{value:.4f}"
