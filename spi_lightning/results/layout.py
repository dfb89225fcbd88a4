"""Layout of answers: kind and shape of each of their arrays, and the error of an answer that has another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from spi_lightning.errors import UserError

Layout = Mapping[str, str]
"""Kind and axes of the arrays of an answer by name, such as ``real N H W``; ``or None`` where one may be absent.
``finite`` before the kind forbids NaN, ``tensor`` wants a tensor. Axes of one name are of one length; those of a
small letter are at most as long as that of the capital."""
_KINDS: Final = {"bool": "b", "real": "fiu", "complex": "c", "any": "bfiu"}
_ARRAYS: Final = {Tensor: "a tensor", np.ndarray: "a NumPy array"}
_OR_NONE: Final = " or None"


def require_answer(answer: Any, kind: type, sizes: Mapping[str, int], name: str, remedy: str = "leave it out") -> None:
    """Refuse an answer of another class than that of the question, or with other arrays than its class has.

    Args:
        answer: What a method gave.
        kind: Dataclass of the answer, with a ``layout`` if its arrays are checked.
        sizes: Known lengths of axes by name, such as N.
        name: Name of the method.
        remedy: What to do about NaN.

    Raises:
        UserError: Another class, kind, shape, or NaN, naming the method, what it gave and what is wanted.
    """
    if not isinstance(answer, kind):
        wanted = ", ".join(one.name for one in fields(kind))
        raise UserError(f"{name}: answer() gave {_words_for(answer)}; wanted is {kind.__name__}({wanted})")
    require_layout(vars(answer), getattr(kind, "layout", {}), sizes, name, remedy)


def require_layout(
    values: Any, layout: Layout, sizes: Mapping[str, int], name: str, remedy: str = "leave it out"
) -> None:
    """Refuse arrays or tensors that are not of a layout; arguments and errors are those of require_answer.

    Args:
        values: Arrays or tensors of an answer by the names of its fields.
        layout: Kind and axes of each.
        sizes: Known lengths of axes by name.
        name: Name of the method.
        remedy: What to do about NaN.
    """
    if not isinstance(values, Mapping):
        raise UserError(f"{name}: gave {_words_for(values)}; wanted are {', '.join(layout)} by name")
    known = dict(sizes)
    for field, text in layout.items():
        value: Any = values.get(field)
        optional = text.endswith(_OR_NONE)
        if value is None and optional:
            continue
        marks, _, axes = text.removesuffix(_OR_NONE).partition(kind := next(kind for kind in _KINDS if kind in text))
        array = Tensor if "tensor" in marks else np.ndarray
        lengths = _lengths(value.shape, axes.split(), known) if isinstance(value, array) else None
        if lengths is None or _dtype_kind(value) not in _KINDS[kind]:
            required = [f"{axis}={known[axis]}" for axis in axes.split() if axis in known]
            required += [
                f"{axis} up to {known[axis.upper()]}" for axis in axes.split() if axis.upper() in {*known} - {axis}
            ]
            wanted = f"{_ARRAYS[array]} of {kind} values, shape ({', '.join(axes.split())})"
            raise UserError(
                f"{name}: {field} is {_words_for(value)}; wanted is {wanted}"
                + f" with {', '.join(required)}" * bool(required)
                + _OR_NONE * optional
            )
        known |= lengths
        if "finite" in marks and (broken := _broken(value)):
            raise UserError(
                f"{name} gives NaN in {field} for {len(broken)} of {len(value)}, number {broken[0]} first; {remedy}"
            )


def _lengths(shape: Sequence[int], axes: Sequence[str], known: Mapping[str, int]) -> dict[str, int] | None:
    """Lengths of axes by name; None for a shape that does not have them."""
    if len(shape) != len(axes):
        return None
    found = {axis: int(axis) for axis in axes if axis.isdigit()} | dict(known)
    for length, axis in zip(shape, axes, strict=True):
        if length != found.setdefault(axis, length) or length > found.get(axis.upper(), length):
            return None
    return found


def _dtype_kind(value: Any) -> str:
    """Letter of the kind of numbers, as NumPy has it."""
    if isinstance(value, Tensor):
        return (
            "b"
            if value.dtype == torch.bool
            else "c"
            if value.is_complex()
            else "f"
            if value.is_floating_point()
            else "i"
        )
    return str(value.dtype.kind)


def _broken(value: Any) -> list[int]:
    """Entries along the first axis that hold NaN or infinity."""
    finite = torch.isfinite(value).cpu().numpy() if isinstance(value, Tensor) else np.isfinite(value)
    return [int(entry) for entry in np.flatnonzero(~finite.all(tuple(range(1, finite.ndim))))]


def _words_for(value: Any) -> str:
    """Kind and shape of an array, else the class of a value."""
    if isinstance(value, np.ndarray | Tensor):
        kind = _ARRAYS[Tensor if isinstance(value, Tensor) else np.ndarray]
        return f"{kind} of {str(value.dtype).removeprefix('torch.')}, shape {tuple(value.shape)}"
    return "None" if value is None else f"an object of class {type(value).__name__}"
