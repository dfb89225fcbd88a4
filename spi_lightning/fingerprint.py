"""Fingerprints: one hash of settings, objects, arrays, weights, files and code, under which results are kept."""

import ast
import hashlib
import inspect
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from threading import Lock
from types import ModuleType
from typing import Any, Final

import numpy as np
import torch

from spi_lightning.files import content_hash

_PACKAGE: Final = __name__.partition(".")[0]
_DIGITS: Final = 16  # hexadecimal, of a fingerprint
_PARSING: Final = Lock()  # Python 3.11 counts the depth of a syntax tree once for all threads, and trips over it


def fingerprint(*things: Any, code: Sequence[ModuleType] = ()) -> str:
    """Hash of everything that decides a result, 16 hexadecimal digits: equal for equal things, else different.

    Args:
        things: Numbers, text, containers, arrays, tensors, networks (by their weights), paths (by the content of the
            file), classes, functions, and objects made of these. All attributes of an object count, except those with a
            leading underscore, which are caches; what its class reads from files is its property ``content``.
        code: Packages whose source counts as well, without its comments; so does the file of a class from outside this
            package.
    """
    sources = [*(_hash_of_package(package) for package in code), *_hashes_of_foreign_classes(things)]
    return hashlib.sha256(json.dumps([sources, _plain(things)], sort_keys=True).encode()).hexdigest()[:_DIGITS]


def _plain(thing: Any) -> Any:
    """Anything as what JSON can hold."""
    if thing is None or isinstance(thing, str | int | float):
        return thing
    if isinstance(thing, torch.Tensor):
        thing = thing.detach().cpu().numpy()
    if isinstance(thing, np.ndarray):
        content = hashlib.sha256(np.ascontiguousarray(thing).tobytes()).hexdigest()
        return [str(thing.dtype), list(thing.shape), content]
    if isinstance(thing, Path):
        return content_hash(thing) if thing.is_file() else str(thing)
    if isinstance(thing, Mapping):
        return {str(key): _plain(value) for key, value in thing.items()}
    if isinstance(thing, Sequence):
        return [_plain(value) for value in thing]
    if isinstance(thing, type) or inspect.isroutine(thing):
        return f"{thing.__module__}.{thing.__qualname__}"
    if hasattr(thing, "__dict__"):
        return [_plain(type(thing)), {key: _plain(value) for key, value in _deciding(thing)}]
    return repr(thing)


def _deciding(thing: Any) -> Iterator[tuple[str, Any]]:
    """Name and value of every attribute of an object that counts."""
    yield from ((key, value) for key, value in vars(thing).items() if key[0] != "_")
    if isinstance(getattr(type(thing), "content", None), property):
        yield "content", thing.content
    if isinstance(thing, torch.nn.Module):
        yield "weights", thing.state_dict()
        yield "modules", dict(thing.named_children())


@cache
def _hash_of_package(package: ModuleType) -> list[str]:
    return [_hash_of_code(source) for source in sorted(Path(inspect.getfile(package)).parent.rglob("*.py"))]


def _hashes_of_foreign_classes(things: Sequence[Any]) -> list[str]:
    """Hashes of the files that define the classes of things, of those outside this package."""
    kinds = {type(thing) for thing in things if type(thing).__module__.partition(".")[0] not in ("builtins", _PACKAGE)}
    return [_hash_of_code(Path(source)) for source in sorted(filter(None, map(_source_of, kinds)))]


def _source_of(kind: type) -> str | None:
    """File that defines a class; None where there is none to read."""
    try:
        return inspect.getsourcefile(kind)
    except TypeError:
        return None


def _hash_of_code(source: Path) -> str:
    """Hash of a file's syntax tree: comments and line breaks do not count."""
    with _PARSING:
        tree = ast.dump(ast.parse(source.read_text()))
    return hashlib.sha256(tree.encode()).hexdigest()
