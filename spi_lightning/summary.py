"""Short texts of results, on the terminal and in a notebook: a name, a few facts, never the values of an array."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import fields, is_dataclass
from html import escape
from importlib import import_module
from typing import Any, ClassVar, Final

from .printable import cut, printable

_LONGEST: Final = 76  # characters of a fact


class Lines(tuple[Any, ...]):
    """Tuple that prints one entry a line."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "\n".join(map(str, self)) or "none"


class Summarised:
    """Base of dataclasses that print as a few lines; they are made with ``@dataclass(repr=False)``.

    A field ``notes`` that is a tuple prints one note a line.

    Attributes:
        drawn_by: Module and function of a figure of the object, ``module:function``; empty where there is none. A name,
            because figures are made in a room above, and loaded when one is asked for.
    """

    drawn_by: ClassVar[str] = ""

    def __post_init__(self) -> None:
        if isinstance(notes := getattr(self, "notes", None), tuple):
            object.__setattr__(self, "notes", Lines(notes))

    def facts(self) -> Mapping[str, object]:
        """What the summary has, by name: all fields, unless a class chooses."""
        return {each.name: getattr(self, each.name) for each in fields(self)}  # type: ignore[arg-type]

    def plot(self, **options: Any) -> Any:
        """A figure of matplotlib; options are those of the function that draws it.

        Raises:
            TypeError: There is no figure of such an object.
        """
        if not self.drawn_by:
            raise TypeError(f"there is no figure of {type(self).__name__}")
        module, _, function = self.drawn_by.partition(":")
        return getattr(import_module(module), function)(self, **options)

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
        yield from ((printable(name), line_of(fact)) for name, fact in self.facts().items() if fact is not None)


def line_of(value: object) -> str:
    """One line for a value: numbers to four digits, arrays and tensors by shape and type, collections by their size."""
    if isinstance(value, float):
        return f"{value:.4g}"
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if shape is not None and dtype is not None:
        return f"{tuple(shape)} {str(dtype).removeprefix('torch.')}"
    if isinstance(value, str):
        return cut(printable(value), _LONGEST)
    if isinstance(value, Collection):
        return _collection(value)
    return type(value).__name__ if is_dataclass(value) else line_of(str(value))


def _collection(values: Collection[Any]) -> str:
    """Words and numbers, as many as fit on a line; of anything else the number of entries."""
    if isinstance(values, Mapping) or not all(isinstance(value, str | int | float) for value in values):
        return f"{len(values)} {'entry' if len(values) == 1 else 'entries'}"
    words, line = [line_of(value) for value in values], "none"
    for count in range(1, len(words) + 1):
        longer = ", ".join(words[:count]) + (f", … ({len(words)})" if count < len(words) else "")
        if count > 1 and len(longer) > _LONGEST:
            break
        line = longer
    return line
