"""Numbers of a training for the terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table


def numbers_table(numbers: Mapping[str, Any], names: Sequence[str], title: str) -> Table:
    """One row for each number, of the validation and of the test.

    Args:
        numbers: Numbers by stage and name, such as ``val/accuracy``.
        names: Names of those to print; one that neither stage has is left out.
        title: Line above the table.
    """
    table = Table("", "validation", "test", title=title)
    for name in names:
        values = [numbers.get(f"{stage}/{name}") for stage in ("val", "test")]
        if any(value is not None for value in values):
            table.add_row(name, *("-" if value is None else _short(value) for value in values))
    return table


def _short(value: float) -> str:
    """Four digits; powers of ten where they would all be zeros."""
    if float(value).is_integer() and abs(value) >= 100:
        return f"{value:.0f}"  # a count
    return f"{value:.2e}" if 0 < abs(value) < 1e-3 else f"{value:.4f}"
