"""Values of the wrong type in a configuration, found before anything is made of them."""

import inspect
from collections.abc import Iterator, Mapping
from typing import Any, Final, cast, get_type_hints

from hydra.utils import get_object
from omegaconf import DictConfig, ListConfig, OmegaConf

from spi_lightning.errors import UserError
from spi_lightning.settings import as_written, check_range, misfit_of

from .app_settings import SETTINGS
from .resolved import CONF

_ABSENT: Final = object()


def check_types(cfg: DictConfig, app: str) -> None:
    """Hold every value of a configuration against the type hint of the parameter that takes it, and against its range.

    A value is checked where it is written, not where an interpolation repeats it. Hints that are more than numbers,
    truth values, text and collections of them let any value pass. A setting of the app itself is held against the
    value in the app's own file, or against app_settings.

    Args:
        cfg: Configuration of the command.
        app: Name of the app's own file in conf/.

    Raises:
        UserError: The first value that does not fit, with its key and the values that would; a setting that no
            parameter takes.
    """
    own = OmegaConf.load(CONF / f"{app}.yaml")
    for name, hint in {**dict(_usual(own, "")), **SETTINGS.get(app, {})}.items():
        value = _selected(cfg, name)
        if value is not _ABSENT:
            _require(name, value, hint)
    for node, name in _parts(cfg, ""):
        _require_taken(node, name, own)
        values = cast(dict[str, Any], OmegaConf.to_container(node, resolve=False))
        for setting, hint in _hints(values["_target_"]).items():
            if setting in values and not _repeated(node, setting):
                _require(f"{name}{setting}", values[setting], hint)


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
            raise UserError(f"{'.'.join(groups[:depth])}={as_written(node)} must be names and values.")
    if last not in node or OmegaConf.is_missing(node, last) or _repeated(node, last):
        return _ABSENT
    value = node[last]
    return OmegaConf.to_container(value, resolve=False) if OmegaConf.is_config(value) else value


def _require(name: str, value: Any, hint: Any) -> None:
    """UserError where a setting does not fit a type hint, or no setting of its name can have the value."""
    if (wrong := misfit_of(value, hint)) is not None:
        raise UserError(f"{name}{wrong}.")
    if hint is not Mapping:  # whose settings follow
        check_range(name, value)


def _require_taken(node: DictConfig, name: str, own: Any) -> None:
    """UserError for a setting that neither the part takes nor the app, such as one that an experiment gives to data."""
    target = str(node["_target_"])
    try:
        takes = inspect.signature(get_object(target)).parameters
    except Exception:  # no such thing, or none that can be read: told by the call itself, better
        return
    if any(each.kind is each.VAR_KEYWORD for each in takes.values()):
        return
    for setting in (f"{key!s}" for key in node):
        of_app = OmegaConf.select(own, f"{name}{setting}", default=_ABSENT) is not _ABSENT
        if not (of_app or setting.startswith("_") or setting in takes):
            raise UserError(f"{name}{setting} is no setting of {target}: leave it out with ~{name}{setting}")


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
    """Type hints of the parameters of a function or class; none where it cannot be found or read."""
    try:
        called = get_object(target)
        return get_type_hints(called.__init__ if inspect.isclass(called) else called, include_extras=True)
    except Exception:  # any fault of a name or annotation is told by the call itself, better
        return {}
