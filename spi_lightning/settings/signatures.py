"""Signatures of the functions and classes that settings name by ``_target_``: their parameters and default values."""

import inspect
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Any

PACKAGE = "spi_lightning."


@cache
def parameters(target: str) -> Mapping[str, inspect.Parameter] | None:
    """Arguments of a function or class by name, of a class with ``**options`` also those of its bases.

    A class that hands its options to something else names it as ``options_of``.

    Args:
        target: Dotted name, as behind ``_target_``.

    Returns:
        None where it cannot be found or read, or takes arguments of any name.
    """
    try:
        called = named(target)
        takes = dict(inspect.signature(called).parameters)
    except Exception:  # any fault of a name is reported by the call itself, better
        return None
    further = vars(called).get("options_of") if inspect.isclass(called) else None
    bases = iter([further] if further else called.__mro__[1:] if inspect.isclass(called) else ())
    while any(each.kind is each.VAR_KEYWORD for each in takes.values()):
        if (base := next(bases, object)) is object:
            return None
        takes = {name: each for name, each in takes.items() if each.kind is not each.VAR_KEYWORD}
        takes = {**inspect.signature(base).parameters, **takes}
    return takes


def annotations(target: str) -> dict[str, Any]:
    """Annotations of the parameters of a function or class by name; none where it cannot be found or read."""
    try:
        called = named(target)
        return inspect.get_annotations(called.__init__ if inspect.isclass(called) else called, eval_str=True)
    except Exception:  # any fault of a name or annotation is reported by the call itself, better
        return {}


def takes_setting(target: object, name: str) -> bool:
    """Whether a part has an argument of this name in its signature."""
    return isinstance(target, str) and name in (parameters(target) or ())


def setting(part: Mapping[str, Any], name: str) -> Any:
    """Value of a part's setting, its default where none is given; None where there is no such setting."""
    if name in part:
        return part[name]
    known = (parameters(str(part.get("_target_", ""))) or {}).get(name)
    return None if known is None or known.default is known.empty else known.default


def with_defaults(config: Any) -> Any:
    """Plain containers in which every part of the package has all its settings, those that its signature sets included.

    What a run writes down thus stays what it was when a default changes.

    Args:
        config: Numbers, text, lists and mappings; a mapping with ``_target_`` is a part.

    Returns:
        The same, with plain defaults (numbers, truth values, text, null and lists of them) behind what is given.
    """
    if isinstance(config, list):
        return [with_defaults(each) for each in config]
    if not isinstance(config, Mapping):
        return config
    target = str(config.get("_target_", ""))
    takes = parameters(target) if target.startswith(PACKAGE) else None
    usual = {name: _listed(each.default) for name, each in (takes or {}).items() if _is_plain(each.default)}
    return {key: with_defaults(value) for key, value in config.items()} | {
        name: value for name, value in usual.items() if name not in config
    }


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, bool | int | float | str)


def _listed(value: Any) -> Any:
    return [_listed(each) for each in value] if isinstance(value, list | tuple) else value


def named(target: str) -> Any:
    """The function or class of a dotted name; an attribute comes before a module of the same name, as in Hydra."""
    first, *rest = target.split(".")
    found, path = import_module(first), first
    for part in rest:
        path = f"{path}.{part}"
        if not hasattr(found, part):
            import_module(path)
        found = getattr(found, part)
    return found
