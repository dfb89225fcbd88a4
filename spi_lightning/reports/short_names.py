"""Short names of methods, settings and numbers, for legends and columns that have little room."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any, Final, TypeVar

from spi_lightning.notes import Note
from spi_lightning.printable import without_middle

_LETTERS: Final = 24
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d[_T ]\d\d[-:]\d\d([-:]\d\d)?_?")
_SAYS_LITTLE: Final = re.compile(r"(seed)?_?\d*|last|best|step.*")
_Result = TypeVar("_Result")


def short_names(names: Sequence[str]) -> dict[str, str]:
    """Short unique name of each method: without date, time and folders that all have in common, cut in the middle.

    Args:
        names: Names that differ, such as ``han_resnet10/2026-11-30_12-00-00_seed0``.

    Returns:
        Name -> short name of at most 24 letters and a number, in the same order; of a name without folders and date
        that is short, itself.
    """
    dated = {name: [_DATE.sub("", part).strip("_") for part in name.split("/")] for name in names}
    parts = {name: [part for part in each if part] for name, each in dated.items()}
    ends = {name: _end(each) for name, each in parts.items()}
    if len(set(ends.values())) < len(names):
        ends = {name: "/".join(each) for name, each in parts.items()}
    short: dict[str, str] = {}
    for name in names:
        short[name] = _free(without_middle(ends[name] or name, _LETTERS), set(short.values()))
    return short


def _end(parts: Sequence[str]) -> str:
    """The last part, with the one before it where it is a bare number or seed."""
    return "/".join(parts[-2:] if parts and _SAYS_LITTLE.fullmatch(parts[-1]) else parts[-1:])


def _free(name: str, taken: set[str]) -> str:
    """Name, followed by a number if it is taken."""
    number, candidate = 1, name
    while candidate in taken:
        number += 1
        candidate = f"{name} ({number})"
    return candidate


def short_keys(keys: Sequence[str]) -> dict[str, str]:
    """Short unique name of each setting or number: its last words, as many as tell it from the others.

    Args:
        keys: Full names that differ, such as ``optimizer.lr`` and ``val/auroc``.
    """
    parts = {key: key.replace("/", ".").split(".") for key in keys}
    short = {key: 1 for key in keys}

    def name(key: str) -> str:
        return key[-len(".".join(parts[key][-short[key] :])) :]

    while True:
        taken = [name(key) for key in keys]
        doubled = [key for key, each in zip(keys, taken, strict=True) if taken.count(each) > 1]
        longer = [key for key in doubled if short[key] < len(parts[key])]
        if not longer:
            return dict(zip(keys, taken, strict=True))
        for key in longer:
            short[key] += 1


def renamed(value: _Result, names: Mapping[str, str]) -> _Result:
    """A result with other names of its methods: in fields, keys and lists where they stand alone, in notes also inside.

    Args:
        value: Dataclass of a result, or a part of it; arrays are kept as they are.
        names: Name -> new name.
    """
    changed = {name: short for name, short in names.items() if name != short}
    if not changed:
        return value
    longest = sorted(changed, key=len, reverse=True)
    words = "|".join(re.escape(name) for name in longest)
    inside = re.compile(rf"(?<![\w/])(?:{words})(?![\w/])")  # no part of a path

    def of(part: Any) -> Any:
        if isinstance(part, str):
            return changed.get(part, part)
        if isinstance(part, Note):
            text, subject = (inside.sub(lambda found: changed[found[0]], words) for words in (part.text, part.subject))
            return replace(part, text=text, subject=subject)
        if isinstance(part, dict):
            return {of(key): of(each) for key, each in part.items()}
        if isinstance(part, list | tuple):
            return type(part)(of(each) for each in part)
        if is_dataclass(part) and not isinstance(part, type):
            return replace(part, **{one.name: of(getattr(part, one.name)) for one in fields(part) if one.init})
        return part

    result: _Result = of(value)
    return result
