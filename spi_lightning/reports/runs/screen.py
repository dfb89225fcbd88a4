"""Table of compared runs on the screen, as many columns as its width takes, and what is printed below it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Final

from rich import box
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from spi_lightning.console import Terminal
from spi_lightning.printable import cut, printable
from spi_lightning.reports.short_names import short_keys
from spi_lightning.results.runs import State

from .comparison import Comparison, parts_of

_REPORTS: Final = 8  # pages that are listed below a table
_NAMES: Final = 10  # of columns that are left out
_LETTERS: Final = 16  # of the value of a setting
_TITLES: Final = {"false_positive_rate": "FPR", "auroc": "AUROC", "fpr_at_90_recall": "FPR at 90 % recall", "iou": "IoU"}
_STYLES: Final = {State.FAILED: "red", State.PRUNED: "dim", State.UNFINISHED: "yellow"}


@dataclass(frozen=True, eq=False)
class _Column:
    """Column of the table: its full name, its short one and the text of its cells."""

    name: str
    short: str
    cells: Sequence[Text]


def print_comparison(comparison: Comparison) -> None:
    """Print the table, the order, what was left out, what has not finished and where the pages of the runs are."""
    console = Terminal()
    wide = console.options.update(max_width=100 * console.width)
    fits = lambda table: Measurement.get(console, wide, table).maximum <= console.width  # noqa: E731
    for part in parts_of(comparison):
        table, dropped = runs_table(part, fits)
        console.print(table)
        console.print(part.order, soft_wrap=True)
        if dropped:
            more = f" and {len(dropped) - _NAMES} more" * (len(dropped) > _NAMES)
            console.print(f"not shown here, but with out=FILE.csv: {', '.join(dropped[:_NAMES])}{more}", soft_wrap=True)
    for line in comparison.unfinished:
        console.print(line, soft_wrap=True)
    if comparison.skipped:
        console.print(f"no run in {', '.join(map(str, comparison.skipped))}", soft_wrap=True)
    pages = dict.fromkeys(run.folder / "report.html" for run in comparison.runs)
    reports = [page for page in pages if page.is_file()]
    for page in reports if len(reports) <= _REPORTS else ():
        console.print(f"report: {page}", soft_wrap=True)


def runs_table(comparison: Comparison, fits: Callable[[Table], bool]) -> tuple[Table, list[str]]:
    """Table with a row for each run, and the names of the columns that have no room in it.

    Args:
        comparison: Runs and what to say of them.
        fits: Function that says whether a table is narrow enough.
    """
    runs, names = comparison.runs, [*comparison.numbers, *(column.key for column in comparison.settings)]
    short = titles(names)
    settings = [_Column(one.key, short[one.key], [Text(cut(printable(each), _LETTERS)) for each in one.values]) for one in comparison.settings]
    numbers = [_Column(name, short[name], [number_cell(run.numbers, name) for run in runs]) for name in comparison.numbers]
    columns, dropped, table = [*numbers[:1]], [], _table(comparison, numbers[:1])
    for one in _by_importance(settings, numbers):
        wider = _table(comparison, [each for each in (*numbers[:1], *settings, *numbers[1:]) if each in (*columns, one)])
        if fits(wider):
            columns, table = [*columns, one], wider
        else:
            dropped.append(one.name)
    return table, dropped


def _by_importance(settings: Sequence[_Column], numbers: Sequence[_Column]) -> list[_Column]:
    """Numbers of runs that have none in an earlier column, two settings, then a number and a setting in turn."""
    first, missing = [], {row for row, cell in enumerate(numbers[0].cells) if cell.plain == "-"} if numbers else set()
    for one in numbers[1:]:
        if one.short != "frames" and (found := {row for row in missing if one.cells[row].plain != "-"}):
            first.append(one)
            missing -= found
    turns = zip_longest((one for one in numbers[1:] if one not in first), settings[2:])
    return [*first, *settings[:2], *(one for turn in turns for one in turn if one is not None)]


def _table(comparison: Comparison, columns: Sequence[_Column]) -> Table:
    states = any(run.state is not State.FINISHED for run in comparison.runs)
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("run", overflow="fold")
    methods = any(comparison.methods)
    if methods:
        table.add_column("method", overflow="fold")
    if states:
        table.add_column("state")
    for column in columns:
        width = max(len(line) for cell in column.cells for line in cell.plain.split("\n"))
        table.add_column(Text(_broken(printable(column.short), width)))
    for row, run in enumerate(comparison.runs):
        names = [comparison.names[row], *([comparison.methods[row]] if methods else [])]
        state = [Text(str(run.state), style=_STYLES.get(run.state, ""))] if states else []
        table.add_row(*(Text(printable(name)) for name in names), *state, *(column.cells[row] for column in columns))
    return table


def titles(names: Sequence[str]) -> dict[str, str]:
    """Head of the column of each setting or number: as short as it may be, and as everyone writes it."""
    return {name: _TITLES.get(short, short) for name, short in short_keys(names).items()}


def number_cell(numbers: Mapping[str, Any], key: str) -> Text:
    """Number of a run, its 95 % interval below; a dash where it has none."""
    value, low, high = (numbers.get(name) for name in (key, f"{key}/low", f"{key}/high"))
    if value is None:
        return Text("-")
    if not isinstance(value, float):  # a count, or what another program has written there
        return Text(printable(value))
    text = number_text(value)
    numeric = isinstance(low, float) and isinstance(high, float)
    return Text(f"{text}\n{low:.2f}–{high:.2f}" if numeric else text)


def number_text(value: float) -> str:
    """Number with three digits behind the point, below 0.01 and from 10,000 on in powers of ten."""
    if value.is_integer() and 1 < abs(value) < 1e6:
        return f"{value:.0f}"
    return f"{value:.2e}" if 0 < abs(value) < 0.01 or abs(value) >= 1e4 else f"{value:.3f}"


def _broken(name: str, width: int) -> str:
    """Head of a column, broken behind dots, slashes and underscores where it is wider than the cells."""
    lines: list[str] = []
    line = ""
    for letter in name:
        line += letter
        if letter in "._/ " and len(line) >= 3 and len(name) > max(width, 6):
            lines, line = [*lines, line], ""
    merged: list[str] = []
    for each in [*lines, line]:
        if merged and len(merged[-1]) + len(each) <= max(width, 6):
            merged[-1] += each
        else:
            merged.append(each)
    return "\n".join(filter(None, merged))

