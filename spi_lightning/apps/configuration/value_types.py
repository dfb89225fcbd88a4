"""Values of the wrong type in a configuration, found before anything is made of them."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from omegaconf import DictConfig, ListConfig, OmegaConf

from spi_lightning.errors import UserError
from spi_lightning.locations import CONF
from spi_lightning.settings import annotations, as_written, check_range, misfit_of, parameters

from .app_settings import SETTINGS
from .unknown_setting import from_a_file
from .unknown_target import no_setting

_ABSENT: Final = object()


def check_types(cfg: DictConfig, app: str) -> None:
    """Hold every value of a configuration against the annotation of the parameter that takes it, and against its range.

    A value is checked where it is written, not where an interpolation repeats it. Annotations that are more than
    numbers, truth values, text and collections of them let any value pass. A setting of the app itself is held against
    the value in the app's own file, or against app_settings.

    Args:
        cfg: Configuration of the command.
        app: Name of the app's own file in conf/.

    Raises:
        UserError: The first value that does not fit, with its key and the values that would; a setting that no
            parameter takes.
    """
    own = OmegaConf.load(CONF / f"{app}.yaml")
    for name, annotation in {**dict(_own_settings(own, "")), **SETTINGS.get(app, {})}.items():
        value = _selected(cfg, name)
        if value is not _ABSENT:
            _require(name, value, annotation)
    for node, prefix in _parts(cfg, ""):
        _require_taken(node, prefix, own)
        values = cast(dict[str, Any], OmegaConf.to_container(node, resolve=False))
        for name, annotation in annotations(values["_target_"]).items():
            if name in values and not OmegaConf.is_interpolation(node, name):
                _require(f"{prefix}{name}", values[name], annotation)


def _selected(cfg: DictConfig, name: str) -> Any:
    """A setting as plain containers; _ABSENT where there is none, or where it is made of others.

    Raises:
        UserError: A group that should hold it is a value.
    """
    node: Any = cfg
    *groups, last = name.split(".")
    for depth, group in enumerate(groups, start=1):
        if group not in node:
            return _ABSENT
        node = node[group]
        if not isinstance(node, DictConfig):
            raise UserError(f"{'.'.join(groups[:depth])}={as_written(node)} must be names and values.")
    if last not in node or OmegaConf.is_missing(node, last) or OmegaConf.is_interpolation(node, last):
        return _ABSENT
    value = node[last]
    return OmegaConf.to_container(value, resolve=False) if OmegaConf.is_config(value) else value


def _require(name: str, value: Any, annotation: Any) -> None:
    """UserError where a setting does not fit an annotation, or no setting of its name can have the value."""
    if (wrong := misfit_of(value, annotation)) is not None:
        raise UserError(f"{name}{wrong}.")
    if annotation is not Mapping:  # whose settings follow
        check_range(name, value)


def _require_taken(node: DictConfig, prefix: str, own: Any) -> None:
    """UserError for a setting that neither the part takes nor the app, such as one that an experiment gives to data."""
    if (taken := parameters(target := str(node["_target_"]))) is None:
        return
    for name in map(str, node):
        of_app = OmegaConf.select(own, f"{prefix}{name}", default=_ABSENT) is not _ABSENT
        if not (of_app or name.startswith("_") or name in taken):
            remedy = from_a_file(target, name) or f"leave it out with ~{prefix}{name}"
            raise UserError(f"{no_setting(f'{prefix}{name}', target)}: {remedy}")


def _own_settings(own: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    """Full names and types of the settings in an app's own file, without those that are null or Hydra's."""
    for key in own:
        full = f"{prefix}{key!s}"
        if OmegaConf.is_interpolation(own, str(key)) or OmegaConf.is_missing(own, key) or key in ("hydra", "defaults"):
            continue
        if isinstance(value := own[key], DictConfig):
            yield full, Mapping
            yield from _own_settings(value, f"{full}.")
        elif isinstance(value, bool | int | float | str):
            yield full, type(value)


def _parts(node: Any, prefix: str) -> Iterator[tuple[DictConfig, str]]:
    """Every part with a _target_, and the beginning of its settings' full names; interpolations are not followed."""
    if isinstance(node, DictConfig):
        if "_target_" in node:
            yield node, prefix
        for key in cast(Any, node):
            if not OmegaConf.is_interpolation(node, key) and not OmegaConf.is_missing(node, key):
                yield from _parts(node[key], f"{prefix}{key!s}.")
    elif isinstance(node, ListConfig):
        for index in range(len(node)):
            if not OmegaConf.is_interpolation(node, index):
                yield from _parts(node[index], f"{prefix}{index}.")
