"""Name a set by all that decides its patterns, so that a changed setting, mask or formula never reuses an old file."""

import ast
import hashlib
import inspect
import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, Final

import numpy as np
import torch

from spi_lightning import physics, simulate

_PARSING: Final = Lock()  # Python 3.11 counts the depth of a syntax tree once for all threads, and trips over it


def fingerprint(*things: Any) -> str:
    """Hash settings, objects and the code of simulate and physics to 16 hexadecimal digits.

    Args:
        things: Numbers, text, containers, arrays, tensors, classes, functions, and objects made of them. Of an object
            all attributes count, a detector mask too, but those named with a leading underscore, which are caches;
            what its class reads from files, it tells as the property ``content``.
    """
    classes = {type(thing) for thing in things if type(thing).__module__ != "builtins"}
    code = [*_code_of_packages(), *(_code(Path(source)) for source in sorted(filter(None, map(_source, classes))))]
    text = json.dumps([code, [_plain(thing) for thing in things]], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _plain(thing: Any) -> Any:
    """Turn anything into what JSON can hold, equal for equal things and different for different ones."""
    if thing is None or isinstance(thing, str | int | float):
        return thing
    if isinstance(thing, torch.Tensor):
        thing = thing.detach().cpu().numpy()
    if isinstance(thing, np.ndarray):
        content = hashlib.sha256(np.ascontiguousarray(thing).tobytes()).hexdigest()
        return [str(thing.dtype), list(thing.shape), content]
    if isinstance(thing, Mapping):
        return {str(key): _plain(value) for key, value in thing.items()}
    if isinstance(thing, Sequence):
        return [_plain(value) for value in thing]
    if isinstance(thing, type) or inspect.isroutine(thing):
        return f"{thing.__module__}.{thing.__qualname__}"
    if hasattr(thing, "__dict__"):
        known = {key: value for key, value in vars(thing).items() if key[0] != "_"}
        if isinstance(getattr(type(thing), "content", None), property):
            known["content"] = thing.content
        return [_plain(type(thing)), {key: _plain(value) for key, value in known.items()}]
    return repr(thing)


@cache
def _code_of_packages() -> list[str]:
    folders = [Path(inspect.getfile(package)).parent for package in (physics, simulate)]
    return [_code(source) for folder in folders for source in sorted(folder.rglob("*.py"))]


def _source(kind: type) -> str | None:
    """File that defines a class outside the two packages; None where there is none to read."""
    try:
        source = inspect.getsourcefile(kind)
    except TypeError:
        return None
    return None if source is None or kind.__module__.startswith("spi_lightning.") else source


def _code(source: Path) -> str:
    """Hash of a file's syntax tree: comments and line breaks do not count."""
    with _PARSING:
        tree = ast.dump(ast.parse(source.read_text()))
    return hashlib.sha256(tree.encode()).hexdigest()
