"""Check of a whole configuration, as plain containers: every value has the type and range of what takes it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Final, TypeVar, get_type_hints

from spi_lightning.errors import UserError

from .fitting import as_written, misfit_of
from .ranges import check_range
from .signatures import annotations, parameters
from .unknown import no_setting

Made = TypeVar("Made")
_ABSENT: Final = object()


def check_settings(
    config: Mapping[str, Any],
    own: Mapping[str, Any],
    types: Mapping[str, Any],
    remedy_of: Callable[[str, str], str | None] = lambda target, name: None,
) -> None:
    """Check every value of a configuration against the annotation of the parameter that takes it, and its range.

    A value is checked where it is written, not where an interpolation repeats it. Annotations that are more than
    numbers, truth values, text and collections of them let any value pass.

    Args:
        config: Configuration of a command as plain containers, interpolations unresolved.
        own: Settings of the command itself with their usual values; their types are those of these values.
        types: Full names of settings and their annotations, where the usual value does not show them.
        remedy_of: Function of a part's ``_target_`` and the last word of a setting that it does not take; it gives the
            remedy, None where there is no better one than to leave the setting out.

    Raises:
        UserError: The first value that does not fit, with its key and the values that would; a setting that no
            parameter takes.
    """
    for name, annotation in {**dict(_types_of(own)), **types}.items():
        if (value := selected(config, name)) is not _ABSENT:
            _require(name, value, annotation)
    for part, prefix in _parts(config):
        _require_taken(part, prefix, own, remedy_of)
        for name, annotation in annotations(str(part["_target_"])).items():
            if name in part:
                _require(f"{prefix}{name}", part[name], annotation)


def field_types(dataclass: type, prefix: str = "") -> dict[str, Any]:
    """Annotations of the fields of a dataclass by their full names; those of nested dataclasses are mappings.

    Args:
        dataclass: Dataclass whose fields have the names of the settings.
        prefix: Beginning of the full names, such as ``detector.``.

    Returns:
        The annotations that say which plain values fit.
    """
    found: dict[str, Any] = {}
    annotated = get_type_hints(dataclass, include_extras=True)
    for name in (each.name for each in fields(dataclass)):
        if is_dataclass(hint := annotated[name]) and isinstance(hint, type):
            found |= {f"{prefix}{name}": Mapping, **field_types(hint, f"{prefix}{name}.")}
        elif misfit_of(_ABSENT, hint) is not None:
            found[f"{prefix}{name}"] = hint
    return found


def filled(dataclass: type[Made], values: Mapping[str, Any]) -> Made:
    """Dataclass filled with the settings that have the names of its fields, nested dataclasses alike.

    Args:
        dataclass: Dataclass to be made.
        values: Plain containers that hold all of its fields; others are left alone.
    """
    annotated = get_type_hints(dataclass)
    made = {}
    for name in (each.name for each in fields(dataclass)):  # type: ignore[arg-type]
        hint, value = annotated[name], values[name]
        made[name] = filled(hint, value) if isinstance(hint, type) and is_dataclass(hint) else value
    return dataclass(**made)


def selected(config: Mapping[str, Any], name: str) -> Any:
    """Value of a setting by its full name; a placeholder that fits nothing where there is none.

    Raises:
        UserError: A group that should hold it is a value.
    """
    node: Any = config
    *groups, last = name.split(".")
    for depth, group in enumerate(groups, start=1):
        if group not in node:
            return _ABSENT
        node = node[group]
        if not isinstance(node, Mapping):
            raise UserError(f"{'.'.join(groups[:depth])}={as_written(node)} must be names and values")
    return node.get(last, _ABSENT)


def _require(name: str, value: Any, annotation: Any) -> None:
    """UserError where a setting does not fit an annotation, or no setting of its name can have the value."""
    if (wrong := misfit_of(value, annotation)) is not None:
        raise UserError(f"{name}{wrong}")
    if annotation is not Mapping:  # whose settings follow
        check_range(name, value)


def _require_taken(
    part: Mapping[str, Any], prefix: str, own: Mapping[str, Any], remedy_of: Callable[[str, str], str | None]
) -> None:
    """UserError for a setting that neither the part takes nor the command, such as an experiment's for other data."""
    if (taken := parameters(target := str(part["_target_"]))) is None:
        return
    for name in part:
        of_command = selected(own, f"{prefix}{name}") is not _ABSENT
        if not (of_command or name.startswith("_") or name in taken):
            remedy = remedy_of(target, name) or f"leave it out with ~{prefix}{name}"
            raise UserError(f"{no_setting(f'{prefix}{name}', target)}: {remedy}")


def _types_of(own: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Full names and types of a command's own settings, without those that are null, made of others or Hydra's."""
    for key, value in own.items():
        full = f"{prefix}{key}"
        if key in ("hydra", "defaults") or (isinstance(value, str) and (value == "???" or "${" in value)):
            continue
        if isinstance(value, Mapping):
            yield full, Mapping
            yield from _types_of(value, f"{full}.")
        elif isinstance(value, bool | int | float | str):
            yield full, type(value)


def _parts(node: Any, prefix: str = "") -> Iterator[tuple[Mapping[str, Any], str]]:
    """Every part with a ``_target_``, and the beginning of its settings' full names."""
    if isinstance(node, Mapping) and "_target_" in node:
        yield node, prefix
    inside = node.items() if isinstance(node, Mapping) else enumerate(node) if isinstance(node, list) else ()
    for key, each in inside:
        yield from _parts(each, f"{prefix}{key}.")
