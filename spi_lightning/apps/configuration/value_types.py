"""Values of the wrong type, found before anything is made of them: task.hints=abc is named, and what it takes."""

import inspect
import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin, get_type_hints

from hydra.utils import get_object
from omegaconf import DictConfig, ListConfig, OmegaConf

from spi_lightning.errors import UserError
from spi_lightning.simulate.draws import RISING

from .app_settings import SETTINGS
from .resolved import CONF
from .signatures import parameters
from .value_ranges import check_range

SAID = {int: "a whole number", float: "a number", bool: "true or false", str: "text", type(None): "null"}
_ABSENT = object()
_LARGEST = 2**53  # of whole numbers that 1e4 and the like write exactly
MANY = (Sequence, list, tuple)


def check_types(cfg: DictConfig, app: str) -> None:
    """Compare every value of a configuration with what the function or class that gets it says it takes.

    A value is judged where it is written, not where an interpolation repeats it. What is not annotated, or annotated
    with more than numbers, truth values, text and collections of them, is let pass. A setting of the app itself is
    held against the value that stands for it in the app's own file, or against app_settings.

    Args:
        cfg: What is run.
        app: Name of the app's own file in conf/.

    Raises:
        UserError: The first value that does not fit, with its key and what would; a setting that nothing takes.
    """
    own = OmegaConf.load(CONF / f"{app}.yaml")
    for name, hint in {**dict(_usual(own, "")), **SETTINGS.get(app, {})}.items():
        value = _selected(cfg, name)
        if value is not _ABSENT:
            _require(name, value, hint)
            if hint is not Mapping:  # whose settings follow
                check_range(name, value)
    for node, name in _parts(cfg, ""):
        _require_taken(node, name, own)
        values = cast(dict[str, Any], OmegaConf.to_container(node, resolve=False))
        for setting, hint in _hints(values["_target_"]).items():
            if setting in values and not _repeated(node, setting):
                _require(f"{name}{setting}", values[setting], hint)
                check_range(f"{name}{setting}", values[setting])


def _selected(cfg: DictConfig, name: str) -> Any:
    """A setting as plain containers; _ABSENT where there is none, or where it is made of others.

    Raises:
        UserError: What should hold it is no group.
    """
    node: Any = cfg
    *groups, last = name.split(".")
    for depth, group in enumerate(groups, start=1):
        if group not in node:
            return _ABSENT
        node = node[group]
        if not isinstance(node, DictConfig):
            raise UserError(f"{'.'.join(groups[:depth])}={_written(node)} must be names and values.")
    if last not in node or OmegaConf.is_missing(node, last) or _repeated(node, last):
        return _ABSENT
    value = node[last]
    return OmegaConf.to_container(value, resolve=False) if OmegaConf.is_config(value) else value


def _require(name: str, value: Any, hint: Any) -> None:
    """UserError where a setting does not fit a type hint; 1e4 is a whole number."""
    wrong = misfit(value, hint)
    if wrong is not None:
        place, given, kinds = wrong
        raise UserError(f"{name}{place}={_written(given)} must be {' or '.join(dict.fromkeys(kinds))}.")


def _require_taken(node: DictConfig, name: str, own: Any) -> None:
    """UserError for a setting that neither the part takes nor the app, such as one that an experiment gives to data."""
    if (takes := parameters(target := str(node["_target_"]))) is None:
        return
    for setting in (f"{key!s}" for key in node):
        of_app = OmegaConf.select(own, f"{name}{setting}", default=_ABSENT) is not _ABSENT
        if not (of_app or setting.startswith("_") or setting in takes):
            raise UserError(f"{name}{setting} is no setting of {target}: leave it out with ~{name}{setting}")


def misfit(value: Any, hint: Any) -> tuple[str, Any, list[str]] | None:
    """Where a value does not fit a type hint, what stands there, and what could; None where all fits."""
    choices = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    found = [_misfit_of_one(value, choice) for choice in choices]
    if None in found:
        return None
    deep = [each for each in found if each is not None and each[0]]  # right so far, wrong further in
    if deep:
        return deep[0]
    return "", value, [kind for each in found if each is not None for kind in each[2]]


def _misfit_of_one(value: Any, hint: Any) -> tuple[str, Any, list[str]] | None:
    if isinstance(value, str) and (value == "???" or "${" in value):
        return None  # missing, or made of other settings: told elsewhere
    if hint is None:
        hint = type(None)
    origin = get_origin(hint) or hint
    if hint in SAID:
        allowed = (int, float) if hint is float else (hint,)
        if hint is int and isinstance(value, float) and value.is_integer() and abs(value) < _LARGEST:
            value = int(value)
        fits = isinstance(value, allowed) and (hint is bool or not isinstance(value, bool))
        return None if fits else ("", value, [SAID[hint]])
    if origin is Annotated:
        wrong = _misfit_of_one(value, get_args(hint)[0])
        falls = wrong is None and RISING in get_args(hint) and value[0] > value[1]
        return ("", value, ["the lower value, then the higher"]) if falls else wrong
    if origin is Literal:
        choices = get_args(hint)
        return None if value in choices else ("", value, [" or ".join(map(str, choices))])
    if origin in MANY:
        if not isinstance(value, list | tuple):
            return "", value, ["a list such as [a,b]" if str in get_args(hint) else "a list such as [1,2]"]
        kinds = [kind for kind in get_args(hint) if kind is not Ellipsis]
        if not kinds:
            return None
        if origin is tuple and Ellipsis not in get_args(hint) and len(kinds) != len(value):
            return "", list(value), [f"a list of {len(kinds)} values"]
        whole = zip(value, kinds if len(kinds) == len(value) else kinds[:1] * len(value), strict=True)
        return _first((f"[{place}]", misfit(each, kind)) for place, (each, kind) in enumerate(whole))
    if origin in (Mapping, dict):
        if not isinstance(value, dict):
            return "", value, ["names and values"]
        kinds = list(get_args(hint))
        return _first((f".{key!s}", misfit(each, kinds[1])) for key, each in value.items()) if kinds else None
    if value is None and inspect.isclass(origin) and origin not in (Any, object):
        return "", value, [f"settings of {origin.__name__}"]
    return None


def _first(found: Iterator[tuple[str, Any]]) -> tuple[str, Any, list[str]] | None:
    for place, wrong in found:
        if wrong is not None:
            return place + wrong[0], wrong[1], wrong[2]
    return None


def _usual(own: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Settings of an app's own file and what they take, of those that are neither null nor Hydra's."""
    for key in own:
        full = f"{name}.{key!s}" if name else f"{key!s}"
        if _repeated(own, key) or OmegaConf.is_missing(own, key) or key in ("hydra", "defaults"):
            continue
        if isinstance(usual := own[key], DictConfig):
            yield full, Mapping
            yield from _usual(usual, full)
        elif isinstance(usual, bool | int | float | str):
            yield full, type(usual)


def _parts(node: Any, name: str) -> Iterator[tuple[DictConfig, str]]:
    """Every part with a _target_, and the beginning of its settings' names; interpolations are not followed."""
    if isinstance(node, DictConfig):
        if "_target_" in node:
            yield node, name
        for key in node:
            if not _repeated(node, key) and not OmegaConf.is_missing(node, key):
                yield from _parts(node[key], f"{name}{key!s}.")
    elif isinstance(node, ListConfig):
        for place in range(len(node)):
            if not _repeated(node, place):
                yield from _parts(node[place], f"{name}{place}.")


def _repeated(node: Any, key: Any) -> bool:
    return bool(OmegaConf.is_interpolation(node, key))


def _hints(target: str) -> dict[str, Any]:
    """What a function or class says of its arguments; nothing where it cannot be found or read."""
    try:
        called = get_object(target)
        return get_type_hints(called.__init__ if inspect.isclass(called) else called, include_extras=True)
    except Exception:  # any fault of a name or annotation is told by the call itself, better
        return {}


def _written(value: object) -> str:
    """A value as on a command line."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value).replace(" ", "") if isinstance(value, list | tuple) else str(value)
