"""Settings of a method as plain data, for the record of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any


def plain_settings(thing: Any) -> Any:
    """Fields of a dataclass as JSON can hold them, nested alike; functions, arrays and other objects by their names.

    Args:
        thing: Method, or a value of one of its fields.
    """
    if is_dataclass(thing):
        return {one.name: plain_settings(getattr(thing, one.name)) for one in fields(thing)}
    if isinstance(thing, Mapping):
        return {str(key): plain_settings(value) for key, value in thing.items()}
    if isinstance(thing, list | tuple):
        return [plain_settings(value) for value in thing]
    if thing is None or isinstance(thing, bool | int | float | str):
        return thing
    return str(thing) if isinstance(thing, Path) else getattr(thing, "__name__", type(thing).__name__)
