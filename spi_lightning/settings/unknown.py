"""Messages on a setting that does not exist: the most similar one, and those that exist."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final

from .signatures import parameters

_ALIKE: Final = 0.7  # similarity from which a name is taken for a misspelt one
_SUGGESTIONS: Final = 3


def no_setting(name: str, target: str) -> str:
    """Words for a setting that a part does not take, and those that it does.

    Args:
        name: Full name of the setting, such as ``loss.gama``.
        target: Dotted name of the part, which can be imported.
    """
    there = ", ".join(parameters(target) or ()) or "none"
    return f"{name} is not a setting of {target}; there are {there}"


def unknown_setting(wanted: str, group: str, there: Mapping[str, Any], remedy: str | None = None) -> str:
    """Line of a mistake such as `data.size=32`, with `data.preparation.size` as the setting that may be meant.

    Args:
        wanted: Full name of the setting that does not exist.
        group: Full name of the group that should hold it, empty for the configuration itself.
        there: Settings of that group as plain containers, interpolations unresolved.
        remedy: Advice where it is not to add the setting.
    """
    last, target = wanted.rpartition(".")[2], str(there.get("_target_", ""))
    meant = [name for name in _names(there, group) if name.rpartition(".")[2] == last]
    keys = [str(key) for key in there if not str(key).startswith("_") and key != "hydra"]
    keys += [name for name in parameters(target) or () if name not in keys]
    meant += [_joined(group, key) for key in get_close_matches(last, keys, _SUGGESTIONS, _ALIKE)]
    question = f"did you mean {' or '.join(meant[:_SUGGESTIONS])}? " if meant else ""
    known = ", ".join(_joined(group, key) for key in keys)
    return f"{wanted} is not a setting here; {question}there are {known} ({remedy or f'+{wanted}=... would add it'})"


def _joined(group: str, key: str) -> str:
    return f"{group}.{key}" if group else key


def _names(settings: Mapping[str, Any], group: str) -> Iterator[str]:
    """Full names of all settings below a mapping."""
    for key, value in settings.items():
        yield (name := _joined(group, str(key)))
        if isinstance(value, Mapping) and key != "hydra":
            yield from _names(value, name)
