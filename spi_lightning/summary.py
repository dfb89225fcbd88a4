"""Short texts of results, on the terminal and in a notebook: a name, a few facts, never the values of an array."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import fields, is_dataclass
from html import escape
from typing import Any, Final

from .printable import printable

_LONGEST: Final = 76  # characters of a fact


class Summarised:
    """Base of dataclasses that print as a few lines; they are made with ``@dataclass(repr=False)``."""

    def facts(self) -> Mapping[str, object]:
        """What the summary has, by name: all fields, unless a class chooses."""
        return {each.name: getattr(self, each.name) for each in fields(self)}  # type: ignore[arg-type]

    def __repr__(self) -> str:
        rows = list(self._rows())
        width = max((len(name) for name, _ in rows), default=0)
        return "\n".join([type(self).__name__, *(f"  {name:<{width}}  {fact}" for name, fact in rows)])

    def _repr_html_(self) -> str:
        """The summary as a table, as notebooks show it; everything in it is escaped."""
        cells = "".join(
            f'<tr><th style="text-align:left">{escape(name)}</th><td style="text-align:left">{escape(fact)}</td></tr>'
            for name, fact in self._rows()
        )
        return f"<table><caption>{escape(type(self).__name__)}</caption>{cells}</table>"

    def _rows(self) -> Iterator[tuple[str, str]]:
        yield from ((printable(name), described(fact)) for name, fact in self.facts().items() if fact is not None)


def described(value: object) -> str:
    """One line for a value: numbers to four digits, arrays and tensors by shape and type, collections by their size."""
    if isinstance(value, float):
        return f"{value:.4g}"
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if shape is not None and dtype is not None:
        return f"{tuple(shape)} {str(dtype).removeprefix('torch.')}"
    if isinstance(value, str):
        text = printable(value)
        return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
    if isinstance(value, Collection):
        return _collection(value)
    return type(value).__name__ if is_dataclass(value) else described(str(value))


def _collection(values: Collection[Any]) -> str:
    """Words and numbers as they are where they are few; else the number of entries."""
    plain = all(isinstance(value, str | int | float) for value in values) and not isinstance(values, Mapping)
    line = ", ".join(described(value) for value in values)
    if plain and len(line) <= _LONGEST:
        return line or "none"
    return f"{len(values)} {'entry' if len(values) == 1 else 'entries'}"
