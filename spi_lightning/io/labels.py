"""Check what a file says about its patterns, and bring it to the names, types and ranges of fields.py."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spi_lightning.fields import FIELDS, IS_SINGLE_HIT, KIND, PARTICLE_ID, Kind, UserError

_ALLOWED: Final = {IS_SINGLE_HIT: (0, 1), KIND: (min(Kind), max(Kind))}
_VALUES_SHOWN: Final = 12


def as_label(name: str, values: NDArray[Any], patterns: int, where: str) -> NDArray[Any]:
    """Bring values to the dtype of their field.

    Args:
        name: Name in fields.py; other names keep their dtype.
        values: (N, ...) as stored; strings are numbered in sorted order.
        patterns: N.
        where: File and key, for messages.

    Raises:
        UserError: Another length, or is_single_hit outside {0, 1, -1}, kind outside {-1, ..., 5}, NaN among integers.
    """
    if values.ndim > 1 and values.size == len(values):
        values = values.reshape(-1) if name != "orientation" else values
    if values.ndim == 0 or len(values) != patterns:
        raise UserError(f"{where}: shape {values.shape} does not fit {patterns} patterns; one value for each is needed")
    if values.dtype.kind in "OSU":
        names, values = np.unique(values.astype(str), return_inverse=True)
        if name in _ALLOWED:
            raise UserError(f"{where}: {name} must be numbers, not words such as {names[0]!r}")
    if name not in FIELDS:
        return values
    dtype = np.dtype(FIELDS[name].dtype)
    if dtype.kind == "i" and values.dtype.kind == "f" and not np.array_equal(values, np.rint(values)):
        raise UserError(f"{where}: {name} must be whole numbers, without NaN")
    values = values.astype(dtype)
    if name in _ALLOWED:
        _check_range(name, values, where)
    return values


def _check_range(name: str, values: NDArray[Any], where: str) -> None:
    """Refuse class labels that no class has; -1 is unknown."""
    lowest, highest = _ALLOWED[name]
    outside = np.unique(values[((values < lowest) | (values > highest)) & (values != -1)])
    if len(outside):
        shown = ", ".join(str(v) for v in outside[:_VALUES_SHOWN])
        allowed = "1 (single hit), 0 (not) or -1 (unknown)" if name == IS_SINGLE_HIT else f"{lowest} to {highest} or -1"
        raise UserError(
            f"{where}: {name} is {shown} in some patterns; allowed are {allowed}; translate the labels first"
        )


def strings_note(name: str, values: NDArray[Any], where: str) -> list[str]:
    """Announce that words became numbers."""
    if name == PARTICLE_ID and values.dtype.kind in "OSU":
        return [f"{where}: {len(np.unique(values.astype(str)))} names were numbered in sorted order as {name}"]
    return []
