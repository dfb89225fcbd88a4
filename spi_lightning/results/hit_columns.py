"""Columns of predictions.csv: the meaning of each, and the writer of columns as CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spi_lightning.fields import COLUMNS, FIELDS, PROBABILITY
from spi_lightning.files import atomic_write

_MARKS: Final = {
    "excluded": "1: left out of the second column of numbers (data.exclude, training frames)",
    "training_label": "1: a method learnt from the label of the frame, so that it is not scored",
}


def meaning_of(column: str) -> str:
    """Meaning of a column of predictions.csv with its unit; empty for one that came with the file of the patterns."""
    name, _, method = column.partition(":")
    if name == PROBABILITY and method:
        return f"calibrated probability of a single hit by {method}"
    if name in _MARKS:
        return _MARKS[name]
    field = COLUMNS.get(name) or FIELDS.get(name)
    if field is None:
        return ""
    return field.meaning if field.unit == "1" else f"{field.meaning}; in {field.unit}"


def meanings_of(columns: Iterable[str]) -> list[tuple[str, str]]:
    """Each column with its meaning."""
    return [(name, meaning_of(name) or "of the file of the patterns") for name in columns]


def write_columns(path: Path, columns: Mapping[str, NDArray[Any]]) -> None:
    """Write columns (N,) as CSV by an atomic write: seven digits, an empty cell for NaN, 0 and 1 for bool."""
    with atomic_write(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*(_as_text(values) for values in columns.values()), strict=True))


def _as_text(values: NDArray[Any]) -> list[str]:
    if values.dtype.kind == "b":
        values = values.astype(np.int64)
    if values.dtype.kind == "f":
        return ["" if np.isnan(value) else f"{value:.7g}" for value in values.tolist()]
    return [str(value) for value in values.tolist()]
