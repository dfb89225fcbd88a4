"""Check what a file says about its patterns, and bring it to the names, types and ranges of fields.py."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spi_lightning.fields import FIELDS, IS_SINGLE_HIT, KIND, PARTICLE_ID, Kind, UserError

_ALLOWED: Final = {IS_SINGLE_HIT: (0, 1), KIND: (min(Kind), max(Kind))}
_VALUES_SHOWN: Final = 12


def as_label(name: str, values: NDArray[Any], patterns: int, where: str) -> tuple[NDArray[Any], list[str]]:
    """Bring values to the dtype of their field.

    Args:
        name: Name in fields.py; other names keep their dtype.
        values: (N, ...) as stored; names of particles are numbered in sorted order, one-hot labels become numbers.
        patterns: N.
        where: File and key, for messages.

    Returns:
        (N,), or (N, ...) where the field has more axes, and one line for each change of meaning.

    Raises:
        UserError: Another length or more axes, or is_single_hit outside {0, 1, -1}, kind outside {-1, ..., 5}, NaN
            among integers.
    """
    if values.ndim > 1 and values.size == patterns:
        values = values.reshape(-1) if name != "orientation" else values
    if values.ndim == 0 or len(values) != patterns:
        raise UserError(f"{where}: shape {values.shape} does not fit {patterns} patterns; one value for each is needed")
    notes: list[str] = []
    if values.dtype.kind in "OSU":
        values = np.char.decode(values) if values.dtype.kind == "S" else values.astype(str)
    if name in _ALLOWED and values.dtype.kind == "U":
        words = np.char.lower(np.char.strip(values))
        if not np.isin(words, ("true", "false")).all():
            raise UserError(f"{where}: {name} must be numbers, not words such as {str(values.flat[0])!r}")
        values = words == "true"
    if name in _ALLOWED and values.ndim > 1:
        values = _of_one_hot(name, values, where)
        meaning = ": the second says which are single hits" if name == IS_SINGLE_HIT else ""
        notes.append(f"{where}: one-hot labels; the column that is 1 is the {name}{meaning}")
    elif values.dtype.kind == "U" or (name == PARTICLE_ID and values.ndim > 1):
        what = "names" if values.ndim == 1 else "rows"
        names, values = np.unique(values, axis=0, return_inverse=True)
        values = values.reshape(-1)
        notes.append(f"{where}: {len(names)} {what} were numbered in sorted order as {name}")
    if name not in FIELDS:
        return values, notes
    if FIELDS[name].shape == "(N,)" and values.ndim > 1:
        raise UserError(f"{where}: {name} has shape {values.shape}; one value for each pattern is needed")
    dtype = np.dtype(FIELDS[name].dtype)
    if values.dtype.kind not in "biuf":
        raise UserError(f"{where}: {name} must be numbers, not {values.dtype}")
    if (
        dtype.kind == "i"
        and values.dtype.kind == "f"
        and not (np.isfinite(values).all() and np.array_equal(values, np.rint(values)))
    ):
        raise UserError(f"{where}: {name} must be whole numbers, without NaN")
    values = values.astype(dtype)
    if name in _ALLOWED:
        _check_range(name, values, where)
    return values, notes


def _of_one_hot(name: str, values: NDArray[Any], where: str) -> NDArray[np.int64]:
    """Numbers of the columns that are 1 in (N, classes) labels, each row with one of them."""
    classes = _ALLOWED[name][1] + 1
    hot = values.ndim == 2 and bool(np.isin(values, (0, 1)).all() and (values.astype(np.int64).sum(1) == 1).all())
    if not hot or values.shape[1] > classes:
        raise UserError(
            f"{where}: {name} has shape {values.shape}; give one label for each pattern, or one-hot labels of "
            f"{classes} columns"
        )
    numbers: NDArray[np.int64] = values.astype(np.int64).argmax(1)
    return numbers


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
