"""A setting that does not exist: which one was probably meant, and which there are."""

import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches

from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from .signatures import parameters

_ASKED = re.compile(r"Could not override '([^']+)'")
_ALIKE = 0.7  # similarity from which a name is taken for a misspelt one
_SHOWN = 3  # suggestions


def unknown_setting(causes: Sequence[BaseException]) -> str | None:
    """Say of `data.size=32` that `data.preparation.size` may have been meant.

    Args:
        causes: Hydra's error and what led to it.

    Returns:
        One line; None where Hydra's own words are better: a free mapping such as ``settings``, or another error.
    """
    found = (_ASKED.match(str(cause)) for cause in causes)
    asked = next((match[1] for match in found if match), None)
    parents = (cause.parent_node for cause in causes if isinstance(cause, OmegaConfBaseException))
    parent = next((node for node in parents if isinstance(node, DictConfig)), None)
    if asked is None or not parent:  # an empty mapping takes any name, with a plus
        return None
    group, last = str(parent._get_full_key(None) or ""), asked.rpartition(".")[2]
    meant = [name for name in _names(parent, group) if name.rpartition(".")[2] == last]
    keys = [str(key) for key in parent if not str(key).startswith("_") and key != "hydra"]
    keys += [name for name in parameters(str(parent.get("_target_", ""))) or () if name not in keys]
    meant += [_joined(group, key) for key in get_close_matches(last, keys, _SHOWN, _ALIKE)]
    question = f"did you mean {' or '.join(meant[:_SHOWN])}? " if meant else ""
    there = ", ".join(_joined(group, key) for key in keys)
    return f"{asked} is no setting here; {question}there are {there} (+{asked}=... would add it)"


def _joined(group: str, key: str) -> str:
    return f"{group}.{key}" if group else key


def _names(node: DictConfig, group: str) -> Iterator[str]:
    """Full names of all settings below a mapping."""
    for key in map(str, node):
        yield (name := _joined(group, key))
        child = node._get_node(key)
        if isinstance(child, DictConfig) and not child._is_interpolation() and not child._is_none() and key != "hydra":
            yield from _names(child, name)
