"""Differences between two configurations as plain containers, their transfer to a third, and settings as words."""

import json
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from typing import Any, Final

from spi_lightning.errors import UserError

ABSENT: Final = object()
"""Value of a setting that is not there."""
_TARGET: Final = "_target_"  # key of the class or function of a part


def differences(old: Any, new: Any, parent: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Full name, old and new value of everything in which two configurations differ.

    Args:
        old: Configuration as plain containers; lists are compared as wholes.
        new: Configuration to compare with; what only one of them holds is ABSENT in the other.
        parent: Full name of the settings, empty for the whole configuration.
    """
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in {**old, **new}:
            full = f"{parent}.{key}" if parent else str(key)
            yield from differences(old.get(key, ABSENT), new.get(key, ABSENT), full)
    elif old != new:
        yield parent, old, new


def laid_over(
    base: Mapping[str, Any], before: Mapping[str, Any], after: Mapping[str, Any], named: Iterable[str] = ()
) -> dict[str, Any]:
    """Copy of a configuration with every value in which ``after`` differs from ``before``, and with those named.

    Args:
        base: Configuration, plain containers, of which the copy is made.
        before: Configuration without the changes.
        after: Configuration with the changes; a setting that it lacks is removed from the copy, and a part of another
            class or function replaces that of the copy as a whole.
        named: Full names of settings whose value in ``after``, or absence, is taken even where it is that of
            ``before``; groups and lists among them are left to their differences.
    """
    copy = _laid_over(base, before, after)
    for key in named:
        new = value_of(after, key)
        if not isinstance(new, Mapping | list):
            _set(copy, key, new)
    return copy


def _laid_over(base: Any, before: Any, after: Mapping[str, Any]) -> dict[str, Any]:
    before = before if isinstance(before, Mapping) else {}
    if after.get(_TARGET) != before.get(_TARGET) or not isinstance(base, Mapping):
        return deepcopy(dict(after))
    copy = deepcopy(dict(base))
    for key in {**before, **after}:
        old, new = before.get(key, ABSENT), after.get(key, ABSENT)
        if new is ABSENT:
            copy.pop(key, None)
        elif old != new:
            copy[key] = _laid_over(copy.get(key, {}), old, new) if isinstance(new, Mapping) else deepcopy(new)
    return copy


def _set(config: dict[str, Any], name: str, value: Any) -> None:
    """Set a value by its full name; ABSENT removes it."""
    *groups, last = name.split(".")
    for group in groups:
        if not isinstance(config.get(group), dict):
            if value is ABSENT:
                return
            config[group] = {}
        config = config[group]
    if value is ABSENT:
        config.pop(last, None)
    else:
        config[last] = value


def value_of(config: Mapping[str, Any], name: str) -> Any:
    """Value of a setting by its full name; ABSENT where there is none."""
    node: Any = config
    for part in name.split("."):
        node = node.get(part, ABSENT) if isinstance(node, Mapping) else ABSENT
    return node


def word_of(value: Any) -> str:
    """A value, or its absence, in a sentence."""
    return "absent" if value is ABSENT else str(value)


def as_words(overrides: Any, where: str = "") -> Iterator[str]:
    """Overrides as words of a command line, {task: {epochs: 300}} -> task.epochs=300; UserError if no mapping."""
    if not isinstance(overrides, Mapping):
        raise UserError(f"overrides: {overrides!r} is not a mapping; write +settings.METHOD.overrides.task.epochs=300")
    for key, value in overrides.items():
        if isinstance(value, Mapping):
            yield from as_words(value, f"{where}{key}.")
        else:
            yield f"{where}{key}={json.dumps(value)}"


def entries_of(value: Any) -> list[str]:
    """Texts of a setting that takes one or a list: one, those of a list, none for null."""
    return [] if value is None else [value] if isinstance(value, str) else [str(entry) for entry in value]
