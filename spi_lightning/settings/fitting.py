"""Comparison of plain values with annotations of types: numbers, truth values, text, and collections of them."""

import inspect
import types
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

WORDS: Final = {int: "a whole number", float: "a number", bool: "true or false", str: "text", type(None): "null"}
_LISTS: Final = (Sequence, list, tuple)
_LARGEST: Final = 2**53  # of whole numbers that 1e4 and the like write exactly


@dataclass(frozen=True)
class Misfit:
    """A value, or one inside it, that does not fit an annotation.

    Attributes:
        path: Position inside the outer value, such as ``[1]`` or ``.train``; empty for the value itself.
        value: Value at this position.
        wanted: Values that would fit, in words.
    """

    path: str
    value: Any
    wanted: tuple[str, ...]

    def __str__(self) -> str:
        """The end of a line that begins with the name of the setting."""
        return f"{self.path}={as_written(self.value)} must be {' or '.join(dict.fromkeys(self.wanted))}"


def misfit_of(value: Any, annotation: Any) -> Misfit | None:
    """The first part of a value that does not fit an annotation; None where all fits.

    1e4 is a whole number. A value that is missing or made of others ("???", "${...}") fits, and so does any value where
    the annotation is more than numbers, truth values, text and collections of them.
    """
    choices = get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else (annotation,)
    found = [_misfit_of_one(value, choice) for choice in choices]
    misfits = [each for each in found if each is not None]
    if len(misfits) < len(found):
        return None
    deep = [each for each in misfits if each.path]  # right so far, wrong further in
    return deep[0] if deep else Misfit("", value, tuple(word for each in misfits for word in each.wanted))


def as_written(value: object) -> str:
    """A value as on a command line."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value).replace(" ", "") if isinstance(value, list | tuple) else str(value)


def _misfit_of_one(value: Any, annotation: Any) -> Misfit | None:
    """As misfit_of, of an annotation that is not a union."""
    if isinstance(value, str) and (value == "???" or "${" in value):
        return None
    annotation = type(None) if annotation is None else annotation
    origin = get_origin(annotation) or annotation
    if annotation in WORDS:
        return None if _is_plain(value, annotation) else Misfit("", value, (WORDS[annotation],))
    if origin is Annotated:
        from spi_lightning.simulate.draws import RISING  # torch, which the help of a command does without

        kind, is_range = get_args(annotation)[0], RISING in get_args(annotation)
        if is_range and not isinstance(value, list | tuple):  # one number is a fixed range
            fits = _is_plain(value, get_args(kind)[0])
            return None if fits else Misfit("", value, (WORDS[get_args(kind)[0]], "a list such as [1,2]"))
        wrong = _misfit_of_one(value, kind)
        falls = wrong is None and is_range and value[0] > value[1]
        return Misfit("", value, ("the lower value, then the higher",)) if falls else wrong
    if origin is Literal:
        choices = get_args(annotation)
        return None if value in choices else Misfit("", value, (" or ".join(map(str, choices)),))
    if origin in _LISTS:
        return _misfit_of_list(value, annotation)
    if origin in (Mapping, dict):
        if not isinstance(value, dict):
            return Misfit("", value, ("names and values",))
        kinds = get_args(annotation)
        return _first((f".{key!s}", each, kinds[1]) for key, each in value.items()) if kinds else None
    if value is None and inspect.isclass(origin) and origin not in (Any, object):
        return Misfit("", value, (f"settings of {origin.__name__}",))
    return None


def _is_plain(value: Any, kind: type) -> bool:
    """Whether a value is a number, truth value, text or None of this kind."""
    if kind is int and isinstance(value, float) and value.is_integer() and abs(value) < _LARGEST:
        return True
    allowed = (int, float) if kind is float else (kind,)
    return isinstance(value, allowed) and (kind is bool or not isinstance(value, bool))


def _misfit_of_list(value: Any, annotation: Any) -> Misfit | None:
    kinds = [kind for kind in get_args(annotation) if kind is not Ellipsis]
    if not isinstance(value, list | tuple):
        return Misfit("", value, ("a list such as [a,b]" if str in kinds else "a list such as [1,2]",))
    if not kinds:
        return None
    if get_origin(annotation) is tuple and Ellipsis not in get_args(annotation) and len(kinds) != len(value):
        return Misfit("", list(value), (f"a list of {len(kinds)} values",))
    kinds = kinds if len(kinds) == len(value) else kinds[:1] * len(value)
    return _first((f"[{index}]", each, kind) for index, (each, kind) in enumerate(zip(value, kinds, strict=True)))


def _first(parts: Iterable[tuple[str, Any, Any]]) -> Misfit | None:
    """The first misfit of path, value and annotation of the parts of a collection."""
    for path, value, annotation in parts:
        if (wrong := misfit_of(value, annotation)) is not None:
            return Misfit(path + wrong.path, wrong.value, wrong.wanted)
    return None
