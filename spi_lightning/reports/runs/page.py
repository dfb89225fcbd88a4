"""Page of compared runs: the best of them, the table, parallel coordinates of the settings, learning curves."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from spi_lightning.errors import UserError
from spi_lightning.printable import cut
from spi_lightning.reports.page import Lines, Picture, Section, Table, write_page
from spi_lightning.results.runs import ABSENT, State

from .comparison import Comparison, parts_of, write_csv
from .pictures import curves_pictures, parallel_coordinates
from .screen import number_cell, titles

_SETTINGS: Final = 12  # columns of settings in the table of the page; all are in the CSV
_NAMED: Final = 6  # settings of the best run in the sentence on it
_LETTERS: Final = 28  # of the value of a setting


def write_outputs(comparison: Comparison, outputs: Sequence[Path]) -> list[Path]:
    """Write a comparison to files: a table to ``NAME.csv``, a page to ``NAME.html``, both into a folder.

    Raises:
        UserError: An output has another suffix.
    """
    written = []
    for output in outputs:
        suffix = output.suffix.lower()
        if suffix not in ("", ".csv", ".html") and not output.is_dir():
            raise UserError(f"out={output}: is no folder, no .csv and no .html; name one of these")
        folder = output.is_dir() or suffix == ""
        if folder:
            output.mkdir(parents=True, exist_ok=True)
        if folder or suffix == ".csv":
            written.append(write_csv(output / "comparison.csv" if folder else output, comparison))
        if folder or suffix == ".html":
            written.append(write_comparison(output / "report.html" if folder else output, comparison))
    return written


def write_comparison(path: Path, comparison: Comparison) -> Path:
    """Write the page of a comparison by an atomic write; it needs no network and no other file."""
    parts = parts_of(comparison)
    sections = [Section("Runs", [block for part in parts for block in (Lines(_answer(part)), _table(part))])]
    if pictures := parallel_coordinates(parts[0]):
        sections.append(Section("Settings", pictures))
    if curves := curves_pictures(comparison):
        sections.append(Section("Learning curves", curves))
    behind = [*comparison.unfinished, *(f"{folder}: holds no run" for folder in comparison.skipped)]
    if behind:
        sections.append(Section("Failed, pruned and left out", [Lines(behind)]))
    folders = {run.folder.absolute() for run in comparison.runs}
    above = os.path.commonpath(folders) if len(folders) > 1 else str(*folders)
    return write_page(path, "Comparison of runs", f"{len(folders)} runs below {above}", sections)


def _answer(comparison: Comparison) -> list[str]:
    """The best run and its settings; how many have finished; the order."""
    best, lines = comparison.runs[0], []
    if comparison.objective and best.state is State.FINISHED and comparison.objective in best.numbers:
        known = [column for column in comparison.settings if column.values[0] != ABSENT]
        chosen = ", ".join(f"{column.key}={cut(column.values[0], _LETTERS)}" for column in known[:_NAMED])
        value = number_cell(best.numbers, comparison.objective).plain.partition("\n")[0]
        lines.append(f"Best {comparison.objective}: {value}, of {comparison.labels[0]}{f' ({chosen})' if chosen else ''}.")
    counts = [(sum(run.state is state for run in comparison.runs), state) for state in State]
    lines.append(", ".join(f"{count} {state}" for count, state in counts if count) + f"; {comparison.order}.")
    return lines


def _table(comparison: Comparison) -> Table:
    numbers, settings = comparison.numbers, comparison.settings[:_SETTINGS]
    short = titles([*numbers, *(column.key for column in settings)])
    states = any(run.state is not State.FINISHED for run in comparison.runs)
    head = ["run", *(["state"] if states else []), *(short[name] for name in numbers[:1])]
    head += [*(short[column.key] for column in settings), *(short[name] for name in numbers[1:])]
    rows = []
    for row, run in enumerate(comparison.runs):
        cells = [number_cell(run.numbers, name).plain for name in numbers]
        rows.append(
            [
                comparison.labels[row],
                *([str(run.state)] if states else []),
                *cells[:1],
                *(cut(column.values[row], _LETTERS) for column in settings),
                *cells[1:],
            ]
        )
    intervals = any(f"{name}/low" in run.numbers for run in comparison.runs for name in numbers)
    caption = "Below a number: its 95 % interval. " * intervals
    caption += "Of a training that has not finished: the numbers of its last validation." * states
    return Table([name.replace("_", "_\n") if len(name) > 14 else name for name in head], rows, caption)
