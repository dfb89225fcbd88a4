"""Differences between two configurations as plain containers, their transfer to a third, and settings as words."""

import json
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from typing import Any, Final

from spi_lightning.errors import UserError

ABSENT: Final = object()
"""Value of a setting that is not there."""


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
        base: Configuration as plain containers that the changes are made to; it stays as it is.
        before: Configuration without the changes.
        after: Configuration with the changes; a setting that it lacks is removed from the copy.
        named: Full names of settings whose value in ``after`` is taken even where it is that of ``before``; groups and
            lists among them are left to their differences.
    """
    changed = {key: new for key, _, new in differences(before, after)}
    for key in named:
        new = value_of(after, key)
        if new is not ABSENT and not isinstance(new, Mapping | list):
            changed[key] = new
    copy: dict[str, Any] = deepcopy(dict(base))
    for key, new in changed.items():
        *groups, last = key.split(".")
        node = copy
        for group in groups:
            if not isinstance(node.get(group), dict):
                node[group] = {}
            node = node[group]
        if new is ABSENT:
            node.pop(last, None)
        else:
            node[last] = new
    return copy


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
