"""Dataclasses as HDF5 files.

A file holds the data set ``plain``, JSON text of everything but arrays, and one data set for each array under the path
of its field, such as ``/answer/score`` or ``/patterns/0/mask``, so that other programs can read them.
Every byte has a checksum. Reading follows no link, opens no other file and runs nothing that the file names.
"""

import json
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from enum import Enum
from pathlib import Path
from typing import Any, Final, TypeVar, cast
from urllib.parse import quote

import h5py
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.files import atomic_write
from spi_lightning.write_errors import new_hdf5

from .typed import Arrays, BadValueError, LazyArray, UnknownAnnotationError, decode

T = TypeVar("T")
VERSION: Final = 1
_MARK: Final = "spi_lightning_codec"  # attribute of the root: VERSION
_PLAIN: Final = "plain"
_FORMAT: Final = ("v110", "v110")  # of HDF5: the first that has a checksum of all that is not an array
_SLAB: Final = 32 << 20  # bytes of an array that are written together
_CHUNK: Final = 1 << 20  # bytes of an array that are compressed together
_KINDS: Final = "biufcSmM"  # of NumPy dtypes that are stored
_MOST_PLAIN: Final = 1 << 28  # bytes of JSON


def save(path: str | os.PathLike[str], value: Any, compress: bool = True) -> Path:
    """Write a dataclass by an atomic write.

    Args:
        path: File to write; missing folders are made.
        value: Dataclass, nested to any depth, of numbers, text, None, bool, enums, paths, dates, NumPy arrays,
            tensors, LazyArrays, lists, tuples and dicts. Arrays are written slab by slab and not copied as a whole.
        compress: Whether to compress arrays by gzip; bool arrays always are.

    Raises:
        UserError: The file cannot be written.
        TypeError: A value of another type, with the path of its field.
    """
    path = Path(path)
    arrays: dict[str, Any] = {}
    plain = json.dumps(_encode(value, "", arrays), ensure_ascii=True).encode("ascii")
    with atomic_write(path) as part, new_hdf5(part, _FORMAT) as file:
        file.attrs[_MARK] = VERSION
        _store(file, _PLAIN, np.frombuffer(plain, dtype=np.uint8), True)
        for name, array in arrays.items():
            _store(file, name, array, compress)
    return path


def load(path: str | os.PathLike[str], kind: type[T]) -> T:
    """Read what `save` wrote.

    Args:
        path: File that `save` wrote.
        kind: Dataclass that it holds, or one with type arguments such as ``Answered[HitAnswer]``. Fields that the file
            lacks take their defaults.

    Raises:
        UserError: The file is missing, damaged, of another program or holds another dataclass.
        UnknownAnnotationError: The dataclass has a field of a type that this codec does not know.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: there is no such file; check the path, or make it again")
    try:
        with h5py.File(path, "r") as file:
            return cast(T, decode(kind, _plain_of(file), _ArraysOf(file, path)))
    except UnknownAnnotationError:
        raise
    except Exception as error:  # of h5py, NumPy or a constructor, on damaged bytes
        what = " ".join(str(error).split())[:200] or type(error).__name__
        raise UserError(f"{path}: damaged, or no result of spi_lightning ({what}); make it again") from error


class _ArraysOf(Arrays):
    """Arrays of an open file by the names that the plain part gives them."""

    def __init__(self, file: h5py.File, path: Path) -> None:
        self.file, self.path = file, path

    def array(self, tag: Mapping[str, Any]) -> NDArray[Any]:
        item = _dataset(self.file, str(tag["name"]))
        shape = tuple(tag["shape"])
        if math.prod(shape) != item.size:
            raise BadValueError(f"{tag['name']} has shape {item.shape}, not {shape}")
        stored = np.empty(item.shape, dtype=item.dtype)
        if item.size:
            item.read_direct(stored)
        values: NDArray[Any] = stored.view(np.dtype(tag["dtype"])).reshape(shape)
        return values

    def tensor(self, tag: Mapping[str, Any]) -> Tensor:
        dtype = getattr(torch, str(tag["tensor"]))
        if not isinstance(dtype, torch.dtype):
            raise BadValueError(f"{tag['tensor']} is not a dtype of torch")
        values = torch.from_numpy(self.array(tag))
        return values if values.dtype == dtype else values.view(dtype)

    def lazy(self, tag: Mapping[str, Any]) -> LazyArray:
        item = _dataset(self.file, str(tag["name"]))
        return LazyArray(self.path, str(tag["name"]), item.shape, np.dtype(tag["dtype"]))


def _plain_of(file: h5py.File) -> Any:
    """JSON part of a file of this codec."""
    version = file.attrs.get(_MARK) if _MARK in file.attrs and file.attrs.get_id(_MARK).dtype.kind in "iu" else None
    if version is None:
        raise BadValueError("it has no mark of this format")
    if not 1 <= int(version) <= VERSION:
        raise BadValueError(f"version {int(version)}, this program reads up to {VERSION}: update spi_lightning")
    item = _dataset(file, _PLAIN)
    if item.dtype != np.uint8 or item.ndim != 1 or item.size > _MOST_PLAIN:
        raise BadValueError(f"{_PLAIN} is not text")
    return json.loads(bytes(item[()]))


def _dataset(file: h5py.File, name: str) -> h5py.Dataset:
    """Data set whose values lie in this file; reached without links to other places."""
    group: Any = file
    for part in name.split("/"):
        if not isinstance(group, h5py.Group) or not isinstance(group.get(part, getlink=True), h5py.HardLink):
            raise BadValueError(f"{name} is not in it")
        group = group[part]
    if (
        not isinstance(group, h5py.Dataset)
        or group.is_virtual
        or group.external
        or group.dtype.kind not in _KINDS + "b"
    ):
        raise BadValueError(f"{name} is not a plain array")
    return group


def _store(file: h5py.File, name: str, array: Any, compress: bool) -> None:
    """Write an array of any length in slabs of its first axis."""
    shape, dtype = tuple(array.shape), _dtype_of(array)
    if 0 in shape:
        file.create_dataset(name, shape, dtype=dtype)
        return
    row = math.prod(shape[1:]) * dtype.itemsize
    options: dict[str, Any] = {"chunks": _chunks(shape, dtype.itemsize), "fletcher32": True}
    if compress or dtype.kind == "b":
        options |= {"compression": "gzip", "compression_opts": 1, "shuffle": True}
    item = file.create_dataset(name, shape, dtype=dtype, **options)
    rows = max(1, _SLAB // row // options["chunks"][0]) * options["chunks"][0]
    for start in range(0, shape[0], rows):
        item[start : start + rows] = _numpy(array[start : start + rows])


def _chunks(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """Edges of a chunk of at most _CHUNK bytes that is as long as it can be along the last axes."""
    left, edges = max(1, _CHUNK // itemsize), []
    for n in reversed(shape):
        edges.append(max(1, min(n, left)))
        left //= edges[-1]
    return tuple(reversed(edges))


def _dtype_of(array: Any) -> np.dtype[Any]:
    """Dtype in which an array, tensor or LazyArray is stored."""
    if isinstance(array, Tensor):
        return _numpy(array.new_empty(0)).dtype
    return np.dtype("int64") if array.dtype.kind in "mM" else np.dtype(array.dtype)


def _numpy(part: Any) -> NDArray[Any]:
    """Contiguous NumPy values of a part of an array or tensor, in a dtype that HDF5 knows."""
    if isinstance(part, Tensor):
        part = part.detach().cpu().resolve_conj().resolve_neg()
        part = (part.view(torch.int16) if part.dtype == torch.bfloat16 else part).numpy()
    part = np.ascontiguousarray(part)
    return cast("NDArray[Any]", part.view(np.int64) if part.dtype.kind in "mM" else part)


def _encode(value: Any, where: str, arrays: dict[str, Any]) -> Any:
    """JSON form of a value; arrays are put into ``arrays`` by name and leave their name, shape and dtype."""
    for kind, encode in _ENCODERS.items():
        if isinstance(value, kind):
            return encode(value, where, arrays)
    if is_dataclass(value) and not isinstance(value, type):
        inner = {
            one.name: _encode(getattr(value, one.name), _join(where, one.name), arrays)
            for one in fields(value)
            if one.init
        }
        return {"$dataclass": type(value).__name__, "fields": inner}
    raise TypeError(f"{where or 'value'}: {type(value).__name__} cannot be stored")


def _array(value: Any, where: str, arrays: dict[str, Any]) -> Any:
    """Tag of an array, which is stored under the path of its field."""
    if isinstance(value, np.ndarray) and value.dtype.kind == "U":
        return {"$text": value.ravel().tolist(), "shape": list(value.shape), "dtype": value.dtype.str}
    tag: dict[str, Any] = {"$array": True, "name": where or "value", "shape": list(value.shape)}
    if isinstance(value, Tensor):
        if value.layout != torch.strided or value.is_quantized:
            raise TypeError(f"{where}: a tensor of layout {value.layout} cannot be stored")
        stored = _dtype_of(value)
        tag |= {"tensor": str(value.dtype).removeprefix("torch."), "dtype": stored.str}
    else:
        if value.dtype.kind not in _KINDS or value.dtype.hasobject:
            raise TypeError(f"{where}: an array of {value.dtype} cannot be stored")
        tag["dtype"] = value.dtype.str
    arrays[tag["name"]] = value if value.ndim else value[...].reshape(1)
    return tag


def _mapping(value: Mapping[Any, Any], where: str, arrays: dict[str, Any]) -> Any:
    if all(type(key) is str for key in value) and not any(key.startswith("$") for key in value):
        return {key: _encode(item, _join(where, key), arrays) for key, item in value.items()}
    pairs = enumerate(value.items())
    return {"$pairs": [[_encode(k, "", {}), _encode(v, _join(where, str(i)), arrays)] for i, (k, v) in pairs]}


def _number(value: Any, where: str, arrays: dict[str, Any]) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _sequence(value: Any, where: str, arrays: dict[str, Any]) -> list[Any]:
    return [_encode(item, _join(where, str(number)), arrays) for number, item in enumerate(value)]


def _complex(value: Any, where: str, arrays: dict[str, Any]) -> Any:
    return {"$complex": [float(value.real), float(value.imag)]}


_ENCODERS: Final[dict[Any, Callable[[Any, str, dict[str, Any]], Any]]] = {
    type(None): lambda value, where, arrays: None,
    Enum: lambda value, where, arrays: {"$enum": value.name},
    (bool, np.bool_): lambda value, where, arrays: bool(value),
    (int, float, np.integer, np.float64, np.float32, np.float16): _number,
    (complex, np.complexfloating): _complex,
    str: lambda value, where, arrays: str(value),
    bytes: lambda value, where, arrays: {"$bytes": value.hex()},
    Path: lambda value, where, arrays: {"$path": str(value)},
    (datetime, date): lambda value, where, arrays: {"$date": value.isoformat()},
    (np.ndarray, Tensor, LazyArray): _array,
    Mapping: _mapping,
    (list, tuple): _sequence,
}


def _join(where: str, name: str) -> str:
    """Path of a field or item; names that HDF5 does not take are percent-encoded."""
    part = quote(name, safe=" ()[]{},;:=+*@#&'!~$^", errors="surrogatepass")
    part = part.replace(".", "%2E") if not part.strip(".") else part
    return f"{where}/{part or '%'}" if where else part or "%"
