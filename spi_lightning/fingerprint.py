"""Fingerprints: one hash of settings, objects, arrays, weights, files and code, under which results are kept."""

import functools
import hashlib
import inspect
import json
import sys
import time
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import date
from enum import Enum
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Final, TypeVar, get_type_hints

import h5py
import numpy as np
import torch
from torch import Tensor, nn

from .files import content_hash, file_stamp

T = TypeVar("T")
_IRRELEVANT: Final = "irrelevant"
Irrelevant = Annotated[T, _IRRELEVANT]
"""Annotation of a field that does not decide a result, such as a name, a batch size or an object behind its hash."""

_PACKAGE: Final = __name__.partition(".")[0]
_DIGITS: Final = 16  # hexadecimal, of a fingerprint
_READ_WHOLE: Final = 1 << 30  # bytes of a file that is read for its hash
_SLAB: Final = 1 << 26  # bytes of an array that are hashed together
_RECENT: Final = 2.0  # s since the last change of a file, after which another change cannot have the same time
_HASHES: Final[dict[tuple[object, ...], str]] = {}  # of files by their stamps


def fingerprint(*things: Any, code: Sequence[ModuleType] = ()) -> str:
    """Hash of everything that decides a result, 16 hexadecimal digits: equal for equal things, else different.

    Numbers, text, containers, enums, arrays and tensors count by their values; networks by their settings and weights;
    dataclasses by all fields not annotated as Irrelevant; estimators of scikit-learn by class and parameters; other
    objects of Python classes by their attributes (those with a leading underscore are caches, except in libraries) and
    their property ``content``, if they have one. Functions and classes count by name, and those from outside this
    package by the source of their module or the version of their library. A path counts by the content behind it: of a
    file, of all files that an HDF5 file links to, or of all files of a folder; files beyond 1 GiB by inode, time of
    change and length.

    Args:
        things: What decides the result.
        code: Packages whose source counts as well.

    Raises:
        TypeError: Something else, with the path of its field.
    """
    walk = _Walk(read=True)
    plain = [walk.of(thing, "") for thing in things]
    sources = [*(_hash_of_package(package) for package in code), *sorted(walk.sources)]
    return hashlib.sha256(json.dumps([sources, plain]).encode()).hexdigest()[:_DIGITS]


def require_fingerprint(thing: Any) -> None:
    """Raise TypeError, with the path of the field, where something has no fingerprint; no file is read."""
    _Walk(read=False).of(thing, type(thing).__name__)


class _Walk:
    """Conversion of any object to plain data for JSON; different objects give different data.

    Args:
        read: Whether to read files and arrays.

    Attributes:
        sources: Hashes or versions of the code of classes and functions from outside this package.
    """

    def __init__(self, read: bool) -> None:
        self.read = read
        self.sources: set[str] = set()

    def of(self, thing: Any, where: str) -> Any:
        """One thing at a path of fields."""
        if isinstance(thing, Enum):
            return {"enum": [self.name(type(thing), where), thing.name]}
        if isinstance(thing, np.generic) and not isinstance(thing, np.void):
            return self.of(np.asarray(thing) if thing.dtype.kind in "mM" else thing.item(), where)
        if thing is None or type(thing) in (bool, int, float):
            return thing
        if isinstance(thing, str):
            return self.text(str(thing))
        if isinstance(thing, Path):
            return {"path": _hash_of_path(thing) if self.read else None}
        if isinstance(thing, np.ndarray | Tensor):
            return {"array": self.array(thing, where)}
        if isinstance(thing, Mapping):
            pairs = [[self.of(key, where), self.of(value, f"{where}.{key}")] for key, value in thing.items()]
            return {"dict": sorted(pairs, key=json.dumps)}
        if isinstance(thing, Sequence) and not isinstance(thing, bytes | bytearray | memoryview):
            return {"list": [self.of(value, f"{where}[{number}]") for number, value in enumerate(thing)]}
        if isinstance(thing, bytes | complex | date | slice | torch.device | torch.dtype | np.dtype):
            return {type(thing).__name__: repr(thing)}
        return self.object(thing, where)

    def text(self, text: str) -> Any:
        """Text, and the content of the file that it names, if there is one, as a setting may be a path."""
        path = Path(text) if 0 < len(text) < 1024 and "\0" not in text else None
        found = self.read and path is not None and path.suffix != "" and path.is_file()
        return {"text": text, "path": _hash_of_path(path)} if found and path is not None else text

    def array(self, array: Any, where: str) -> Any:
        """Dtype, shape and hash of an array or a tensor."""
        if isinstance(array, Tensor):
            kind, values = str(array.dtype), array.detach().cpu().resolve_conj().resolve_neg()
            if values.layout != torch.strided:
                raise TypeError(f"{where}: a tensor of layout {values.layout} has no fingerprint")
            shape, array = list(values.shape), values.reshape(-1).view(torch.uint8).numpy()
        else:
            kind, shape = array.dtype.str, list(array.shape)
            if array.dtype.hasobject:
                raise TypeError(f"{where}: an array of objects has no fingerprint")
        return [kind, shape, _hash_of_array(array) if self.read else None]

    def object(self, thing: Any, where: str) -> Any:
        """Function, class, or object with attributes."""
        if isinstance(thing, functools.partial):
            return {"partial": [self.of(part, where) for part in (thing.func, list(thing.args), thing.keywords)]}
        if inspect.ismethod(thing):
            return {"method": [self.of(thing.__self__, where), thing.__name__]}
        if isinstance(thing, type) or inspect.isroutine(thing) or isinstance(thing, np.ufunc):
            return {"name": self.name(thing, where)}
        if isinstance(thing, np.random.Generator):
            return {"generator": self.of(thing.bit_generator.state, where)}
        if isinstance(thing, np.random.RandomState):
            return {"generator": self.of(thing.get_state(legacy=False), where)}
        kind = self.name(type(thing), where)
        inner = {name: self.of(value, f"{where}.{name}") for name, value in _deciding(thing, where)}
        if self.read and isinstance(getattr(type(thing), "content", None), property):
            inner["content"] = self.of(thing.content, f"{where}.content")
        return {"object": [kind, inner]}

    def name(self, thing: Any, where: str) -> str:
        """Qualified name of a class or function; its code is added to the sources."""
        module = getattr(thing, "__module__", None) or "builtins"
        name = getattr(thing, "__qualname__", None) or thing.__name__
        if "<lambda>" in name or ("<locals>" in name and not isinstance(thing, type)):
            raise TypeError(f"{where}: {name} of {module} has no name of its own; define it at the top of a module")
        if self.read and module.partition(".")[0] not in ("builtins", _PACKAGE):
            self.sources.add(_code_of(module))
        return f"{module}.{name}"


def _deciding(thing: Any, where: str) -> Iterator[tuple[str, Any]]:
    """Name and value of the deciding attributes of an object, in an order independent of its construction."""
    kind: type = type(thing)
    if is_dataclass(thing):
        ignored = _irrelevant(kind)
        yield from ((one.name, getattr(thing, one.name)) for one in fields(thing) if one.name not in ignored)
    elif hasattr(thing, "get_params"):
        if any(name.endswith("_") and name[0] != "_" for name in vars(thing)):
            raise TypeError(f"{where}: {kind.__name__} is fitted; pass an unfitted one, every answer fits a copy")
        yield from sorted(thing.get_params(deep=False).items())
    elif isinstance(thing, nn.Module):
        yield from sorted((key, value) for key, value in vars(thing).items() if key[0] != "_" and key != "training")
        yield from (
            (f"weights of {key}", value) for key, value in (*thing._parameters.items(), *thing._buffers.items())
        )
        yield from ((f"module {key}", value) for key, value in thing._modules.items())
    elif hasattr(thing, "__dict__") and _is_python(kind):
        every = _is_of_library(kind.__module__)
        yield from sorted((key, value) for key, value in vars(thing).items() if key[0] != "_" or every)
    else:
        raise TypeError(f"{where}: {kind.__module__}.{kind.__qualname__} has no fingerprint")


@cache
def _irrelevant(kind: Hashable) -> frozenset[str]:
    """Fields of a dataclass that do not decide a result."""
    assert isinstance(kind, type)
    annotations = get_type_hints(kind, include_extras=True)
    return frozenset(name for name, hint in annotations.items() if _IRRELEVANT in getattr(hint, "__metadata__", ()))


@cache
def _is_python(kind: Hashable) -> bool:
    """Whether a class and its bases are written in Python, so that attributes are their whole state."""
    assert isinstance(kind, type)
    return all(base.__module__ in ("builtins", "typing", "abc") or _has_source(base) for base in kind.__mro__)


def _has_source(kind: type) -> bool:
    try:
        return inspect.getsourcefile(kind) is not None
    except TypeError:
        return False


def _hash_of_array(array: Any) -> str:
    """Sha256 of the values of an array, slab by slab."""
    digest = hashlib.sha256()
    flat = array if array.ndim else array.reshape(1)
    step = max(1, _SLAB * len(flat) // max(1, flat.nbytes))
    for start in range(0, len(flat) if flat.size else 0, step):
        digest.update(np.ascontiguousarray(flat[start : start + step]).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def _hash_of_path(path: Path) -> Any:
    """Hashes of the files behind a path, those of a folder by relative path; "missing" where there is none."""
    if path.is_dir():
        return [[str(one.relative_to(path)), _hash_of_file(one)] for one in sorted(path.rglob("*")) if one.is_file()]
    if not path.is_file():
        return ["missing", str(path)]
    found: dict[Path, None] = {}
    _add_linked(path, found)
    return [_hash_of_file(one) for one in found]


def _hash_of_file(path: Path) -> str:
    """Hash of the content, or stamp of a file too large to be read; kept while the file is not being changed."""
    stamp = file_stamp(path)
    if stamp is None:
        return "missing"
    if stamp[3] > _READ_WHOLE:
        return str(stamp)
    key = (path.absolute(), *stamp)
    if key not in _HASHES:
        digest = content_hash(path)
        if time.time() - 1e-9 * stamp[2] < _RECENT:
            return digest
        _HASHES[key] = digest
    return _HASHES[key]


def _add_linked(path: Path, found: dict[Path, None]) -> None:
    """A file, and all files that an HDF5 file reads through external links, virtual data sets and external storage."""
    path = path.resolve()
    if path in found or not path.is_file():
        return
    found[path] = None
    if not h5py.is_hdf5(path):
        return
    names: dict[str, None] = {}

    def look(name: bytes, link: Any) -> None:
        if link.type == h5py.h5l.TYPE_EXTERNAL:
            names[file.id.links.get_val(name)[0].decode(errors="surrogateescape")] = None
        elif link.type == h5py.h5l.TYPE_HARD and isinstance(item := file[name], h5py.Dataset):
            sources = item.virtual_sources() if item.is_virtual else ()
            names.update(dict.fromkeys([*(one.file_name for one in sources), *(raw[0] for raw in item.external or ())]))

    try:
        with h5py.File(path, "r") as file:
            file.id.links.visit(look, info=True)
    except (OSError, RuntimeError, KeyError):
        return  # damaged: its reader raises the error
    for name in names:
        _add_linked(path.parent / name, found)


def _is_of_library(module: str) -> bool:
    """Whether a module is part of Python or of a library that has a version; not of this package."""
    top = module.partition(".")[0]
    return top != _PACKAGE and (top in sys.stdlib_module_names or hasattr(sys.modules.get(top), "__version__"))


@cache
def _code_of(module: str) -> str:
    """Identity of the code of a module outside this package: version of its library, else hash of its source."""
    source = getattr(sys.modules.get(module), "__file__", None)
    if source is None or _is_of_library(module):
        top = module.partition(".")[0]
        return f"{top} {getattr(sys.modules.get(top), '__version__', '')}"
    return content_hash(source)


@cache
def _hash_of_package(package: ModuleType) -> list[str]:
    return [content_hash(source) for source in sorted(Path(inspect.getfile(package)).parent.rglob("*.py"))]
