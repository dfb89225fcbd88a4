"""YAML form of a recipe: a list of {update: HIO, beta: 0.9, repeat: 100}, {sequence: [...]}, {shrinkwrap: ...}."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from spi_lightning.errors import UserError
from spi_lightning.phasing.updates import UPDATES

from .recipe_parts import Group, Shrinkwrap, Step, step


def from_list(entries: Sequence[Any], where: str = "recipe", repeat: int = 1, refine: bool = False) -> Group:
    """Read the parts of one group; UserError names a wrong entry as recipe[2].sequence[0]."""
    parts: list[Step | Group] = []
    wraps: list[Shrinkwrap] = []
    if isinstance(entries, str | Mapping) or not isinstance(entries, Sequence) or not entries:
        raise UserError(f"phasing {where}: expected a list of updates, got {entries!r}")
    for index, entry in enumerate(entries):
        part = _part(entry, f"{where}[{index}]")
        if isinstance(part, Shrinkwrap):
            wraps.append(part)
        else:
            parts.append(part)
    if not parts:
        raise UserError(f"phasing {where}: no update to go with the shrinkwrap")
    return Group(tuple(parts), tuple(wraps), repeat, refine)


def _part(entry: Any, where: str) -> Step | Group | Shrinkwrap:
    if isinstance(entry, str):
        entry = {"update": entry}
    kinds = [
        kind for kind in ("update", "sequence", "refine", "shrinkwrap") if isinstance(entry, Mapping) and kind in entry
    ]
    if len(kinds) != 1:
        raise UserError(f"phasing {where}: expected one of update, sequence, refine, shrinkwrap in {entry!r}")
    kind, options = kinds[0], {str(key): value for key, value in entry.items()}
    content, repeat = options.pop(kind), options.pop("repeat", 1)
    if not isinstance(repeat, int) or repeat < 1:
        raise UserError(f"phasing {where}: repeat={repeat!r} is not a whole number of at least 1")
    try:
        if kind == "update":
            return _step(content, options, repeat)
        if options:
            raise UserError(f"{min(options)!r} does not go with {kind}")
        if kind == "shrinkwrap":
            return _shrinkwrap(content)
    except UserError as error:
        raise UserError(f"phasing {where}: {str(error).removeprefix('phasing recipe: ')}") from None
    return from_list(content, f"{where}.{kind}", repeat, refine=kind == "refine")


def _step(name: Any, options: Mapping[str, Any], repeat: int) -> Step:
    if name not in UPDATES:
        raise UserError(f"unknown update {name!r}; known: {', '.join(UPDATES)}")
    return step(name, {option: _number(value, option) for option, value in options.items()}, repeat)


def _shrinkwrap(content: Any) -> Shrinkwrap:
    kinds = {each.name: int if each.name in ("after", "until", "every") else float for each in fields(Shrinkwrap)}
    if not isinstance(content, Mapping):
        raise UserError(f"shrinkwrap needs its options as sigma: 1.0, threshold: 0.1, got {content!r}")
    unknown = {str(name) for name in content} - set(kinds)
    if unknown:
        raise UserError(f"shrinkwrap has no option {min(unknown)!r} (it has {', '.join(kinds)})")
    values: dict[str, Any] = {name: kinds[name](_number(value, name)) for name, value in content.items()}
    return Shrinkwrap(**values)


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UserError(f"{name}={value!r} is not a number")
    return float(value)
