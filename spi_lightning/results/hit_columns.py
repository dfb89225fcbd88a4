"""Meaning of the columns of predictions.csv."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from spi_lightning.fields import COLUMNS, FIELDS, PROBABILITY

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
