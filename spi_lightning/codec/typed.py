"""Values of plain JSON data as the types that annotations name, and LazyArray, an array read when it is indexed."""

import functools
import types
from collections.abc import Callable, Mapping, MutableMapping, MutableSequence, Sequence
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from datetime import date, datetime
from enum import Enum
from pathlib import Path
from typing import Any, Final, Literal, Protocol, TypeVar, Union, get_args, get_origin, get_type_hints

import h5py
import numpy as np
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class LazyArray:
    """Array in an HDF5 file; can be pickled, as it holds no open file.

    A dataclass whose field has this type takes any array when it is written and gets a LazyArray when it is read.

    Attributes:
        path: HDF5 file that holds the array.
        name: Path of the data set in the file.
        shape: Shape of the array.
        dtype: Number type of its values.
    """

    path: Path
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def __getitem__(self, index: Any) -> NDArray[Any]:
        """Part of the array, as h5py indexes it."""
        with h5py.File(self.path, "r") as file:
            return np.asarray(file[self.name][index]).astype(self.dtype, copy=False)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """The whole array, read."""
        values = self[()]
        return values if dtype is None else values.astype(dtype)


_LISTS: Final = (list, Sequence, MutableSequence)
_DICTS: Final = (dict, Mapping, MutableMapping)


class UnknownAnnotationError(TypeError):
    """An annotation that says nothing of how a value is read: a fault of the dataclass, not of a file."""


class BadValueError(ValueError):
    """A value of a file that is not of the type that its annotation names."""


class Arrays(Protocol):
    """Source of the arrays that plain data refer to by tags."""

    def array(self, tag: Mapping[str, Any]) -> NDArray[Any]:
        """NumPy array of a tag."""
        ...

    def tensor(self, tag: Mapping[str, Any]) -> Tensor:
        """Tensor of a tag."""
        ...

    def lazy(self, tag: Mapping[str, Any]) -> LazyArray:
        """Array of a tag that is read when it is indexed."""
        ...


def decode(kind: Any, plain: Any, arrays: Arrays, where: str = "") -> Any:
    """Value of a type from plain data.

    Args:
        kind: Annotation: a class, an alias with arguments, a union, Literal or Any.
        plain: JSON data of codec.save.
        arrays: Arrays of the file by their tags.
        where: Path of the field, for messages.

    Raises:
        BadValueError: The data are of another type.
        UnknownAnnotationError: A type that is not known.
    """
    origin, arguments = get_origin(kind) or kind, get_args(kind)
    if kind is Any:
        return _anything(plain, arrays, where)
    if origin in (Union, types.UnionType):
        return _one_of(arguments, plain, arrays, where)
    if origin is Literal:
        return _require(plain in arguments and type(plain) in map(type, arguments), plain, kind, where)
    if isinstance(origin, TypeVar):
        raise UnknownAnnotationError(f"{where}: {origin} stands for any type; read Answered[HitAnswer], for example")
    if is_dataclass(origin) and isinstance(origin, type) and origin is not LazyArray:
        return _dataclass(origin, arguments, plain, arrays, where)
    if isinstance(origin, type) and issubclass(origin, Enum):
        name = _tagged(plain, "$enum", kind, where)
        return origin[_require(name in origin.__members__, name, kind, where)]
    if origin in _LISTS or origin is tuple:
        return _sequence(origin, arguments, plain, arrays, where)
    if origin in _DICTS:
        return _mapping(arguments or (Any, Any), plain, arrays, where)
    for known, read in _READERS.items():
        if origin is known:
            return read(plain, arrays, where)
    raise UnknownAnnotationError(f"{where or 'value'}: values annotated as {kind} cannot be read")


def _dataclass(kind: type, arguments: tuple[Any, ...], plain: Any, arrays: Arrays, where: str) -> Any:
    name = _tagged(plain, "$dataclass", kind, where)
    _require(name == kind.__name__, name, kind.__name__, where)
    known = {one.name: one for one in fields(kind) if one.init}
    annotations, inner = _annotations(kind), plain["fields"]
    variables = dict(zip(getattr(kind, "__parameters__", ()), arguments, strict=False))
    if unknown := sorted(set(inner) - set(known)):
        raise BadValueError(f"{where or kind.__name__} has no {unknown[0]}; it is of another version")
    values = {}
    for field, one in known.items():
        if field in inner:
            hint = _substituted(annotations[field], variables)
            values[field] = decode(hint, inner[field], arrays, f"{where}/{field}" if where else field)
        elif not _has_default(one):
            raise BadValueError(f"{where}/{field} is missing")
    try:
        return kind(**values)
    except (TypeError, AttributeError, IndexError) as error:
        raise BadValueError(f"{where or kind.__name__}: {error}") from error


@functools.cache
def _annotations(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _substituted(hint: Any, variables: Mapping[Any, Any]) -> Any:
    """An annotation with the type variables of its class replaced."""
    if isinstance(hint, TypeVar):
        return variables.get(hint, hint)
    parameters = getattr(hint, "__parameters__", ())
    return (
        hint[tuple(variables.get(one, one) for one in parameters)]
        if parameters and not isinstance(hint, type)
        else hint
    )


def _has_default(field: Field[Any]) -> bool:
    return field.default is not MISSING or field.default_factory is not MISSING


def _one_of(kinds: tuple[Any, ...], plain: Any, arrays: Arrays, where: str) -> Any:
    """Value of the first member of a union that fits; a dataclass fits by its name alone."""
    named = plain.get("$dataclass") if isinstance(plain, dict) else None
    if named is not None:
        kinds = tuple(kind for kind in kinds if getattr(get_origin(kind) or kind, "__name__", "") == named)
        return decode(kinds[0], plain, arrays, where) if kinds else _require(False, named, "member of the union", where)
    for kind in kinds:
        try:
            return decode(kind, plain, arrays, where)
        except BadValueError:
            continue
    return _require(False, plain, " or ".join(getattr(kind, "__name__", str(kind)) for kind in kinds), where)


def _sequence(origin: Any, arguments: tuple[Any, ...], plain: Any, arrays: Arrays, where: str) -> Any:
    _require(isinstance(plain, list), plain, origin, where)
    if origin is tuple and arguments and arguments[-1] is not Ellipsis:
        _require(len(plain) == len(arguments), plain, f"{len(arguments)} values", where)
        kinds: Sequence[Any] = arguments
    else:
        kinds = [arguments[0] if arguments else Any] * len(plain)
    items = [decode(k, one, arrays, f"{where}/{i}") for i, (k, one) in enumerate(zip(kinds, plain, strict=True))]
    return tuple(items) if origin is tuple else items


def _mapping(arguments: tuple[Any, ...], plain: Any, arrays: Arrays, where: str) -> dict[Any, Any]:
    _require(isinstance(plain, dict), plain, dict, where)
    keys, values = arguments
    if "$pairs" in plain:
        pairs = [(decode(keys, key, arrays, where), item) for key, item in plain["$pairs"]]
    else:
        _require(not any(key.startswith("$") for key in plain), plain, dict, where)
        pairs = [(decode(keys, key, arrays, where), item) for key, item in plain.items()]
    return {key: decode(values, item, arrays, f"{where}/{key}") for key, item in pairs}


def _anything(plain: Any, arrays: Arrays, where: str) -> Any:
    """Plain data as they are; arrays and tensors by their tags; nothing that has a class of its own."""
    if isinstance(plain, list):
        return [_anything(item, arrays, where) for item in plain]
    if not isinstance(plain, dict):
        return plain
    tag = next((key for key in plain if key.startswith("$")), None)
    if tag is None or tag == "$pairs":
        return _mapping((Any, Any), plain, arrays, where)
    readers = {"$array": _array_or_tensor, "$text": _array, "$complex": _complex, "$bytes": _bytes}
    readers |= {"$path": _path, "$date": _moment}
    if tag not in readers:
        raise BadValueError(f"{where} holds {tag}, which its annotation does not name")
    return readers[tag](plain, arrays, where)


def _array_or_tensor(plain: Any, arrays: Arrays, where: str) -> Any:
    return arrays.tensor(plain) if "tensor" in plain else arrays.array(plain)


def _array(plain: Any, arrays: Arrays, where: str) -> NDArray[Any]:
    if isinstance(plain, dict) and "$text" in plain:
        return np.array(plain["$text"], dtype=np.dtype(plain["dtype"])).reshape(plain["shape"])
    _require(_tagged(plain, "$array", np.ndarray, where) and "tensor" not in plain, plain, np.ndarray, where)
    return arrays.array(plain)


def _tensor(plain: Any, arrays: Arrays, where: str) -> Tensor:
    _require(_tagged(plain, "$array", Tensor, where) and "tensor" in plain, plain, Tensor, where)
    return arrays.tensor(plain)


def _lazy(plain: Any, arrays: Arrays, where: str) -> LazyArray:
    _tagged(plain, "$array", LazyArray, where)
    return arrays.lazy(plain)


def _complex(plain: Any, arrays: Arrays, where: str) -> complex:
    real, imaginary = _tagged(plain, "$complex", complex, where)
    return complex(real, imaginary)


def _bytes(plain: Any, arrays: Arrays, where: str) -> bytes:
    return bytes.fromhex(_tagged(plain, "$bytes", bytes, where))


def _path(plain: Any, arrays: Arrays, where: str) -> Path:
    return Path(_tagged(plain, "$path", Path, where))


def _moment(plain: Any, arrays: Arrays, where: str) -> datetime:
    return datetime.fromisoformat(_tagged(plain, "$date", datetime, where))


def _day(plain: Any, arrays: Arrays, where: str) -> date:
    return date.fromisoformat(_tagged(plain, "$date", date, where))


def _exactly(kind: type) -> Callable[[Any, Arrays, str], Any]:
    return lambda plain, arrays, where: _require(type(plain) is kind, plain, kind, where)


def _float(plain: Any, arrays: Arrays, where: str) -> float:
    return float(_require(type(plain) in (int, float), plain, float, where))


def _tagged(plain: Any, tag: str, kind: Any, where: str) -> Any:
    _require(isinstance(plain, dict) and tag in plain, plain, kind, where)
    return plain[tag]


def _require(fits: bool, value: Any, kind: Any, where: str) -> Any:
    """The value; BadValueError where it does not fit."""
    if not fits:
        raise BadValueError(f"{where or 'value'}: {str(value)[:40]!r} is not of type {getattr(kind, '__name__', kind)}")
    return value


_READERS: Final[dict[Any, Callable[[Any, Arrays, str], Any]]] = {
    type(None): _exactly(type(None)),
    bool: _exactly(bool),
    int: _exactly(int),
    str: _exactly(str),
    float: _float,
    complex: _complex,
    bytes: _bytes,
    Path: _path,
    datetime: _moment,
    date: _day,
    np.ndarray: _array,
    Tensor: _tensor,
    LazyArray: _lazy,
}
