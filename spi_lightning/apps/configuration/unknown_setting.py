"""The error of a setting that does not exist: the one that was probably meant, and those that there are."""

import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from spi_lightning.locations import CONF
from spi_lightning.settings import parameters

_REFUSED = re.compile(r"Could not override '([^']+)'")
_ALIKE = 0.7  # similarity from which a name is taken for a misspelt one
_SUGGESTIONS = 3


def unknown_setting(causes: Sequence[BaseException]) -> str | None:
    """Line of a mistake such as `data.size=32`, with `data.preparation.size` as the setting that may be meant.

    Args:
        causes: Hydra's error and its causes, outermost first.

    Returns:
        One line; None where Hydra's own words are better: a free mapping such as ``settings``, or another error.
    """
    found = (_REFUSED.match(str(cause)) for cause in causes)
    wanted = next((match[1] for match in found if match), None)
    parents = (cause.parent_node for cause in causes if isinstance(cause, OmegaConfBaseException))
    parent = next((node for node in parents if isinstance(node, DictConfig)), None)
    if wanted is None or not parent:  # an empty mapping takes any name, with a plus
        return None
    group, last = str(parent._get_full_key(None) or ""), wanted.rpartition(".")[2]
    meant = [name for name in _names(parent, group) if name.rpartition(".")[2] == last]
    keys = [str(key) for key in parent if not str(key).startswith("_") and key != "hydra"]
    keys += [name for name in parameters(str(parent.get("_target_", ""))) or () if name not in keys]
    meant += [_joined(group, key) for key in get_close_matches(last, keys, _SUGGESTIONS, _ALIKE)]
    question = f"did you mean {' or '.join(meant[:_SUGGESTIONS])}? " if meant else ""
    there = ", ".join(_joined(group, key) for key in keys)
    remedy = from_a_file(str(parent.get("_target_", "")), last) or f"+{wanted}=... would add it"
    return f"{wanted} is no setting here; {question}there are {there} ({remedy})"


def from_a_file(target: str, name: str) -> str | None:
    """Remedy for the path of a file in settings of simulated data: the choice of data that reads files.

    Args:
        target: Dotted name of the data module that was chosen.
        name: Last part of the name of the setting.

    Returns:
        None for other settings and other data.
    """
    module = target.rpartition(".")[2]
    if name != "path" or not module.startswith("Simulated"):
        return None
    for path in sorted((CONF / "data").glob("*.yaml")):
        if str(OmegaConf.select(OmegaConf.load(path), "_target_")).rpartition(".")[2] == module.removeprefix(
            "Simulated"
        ):
            return f"data={path.stem} data.path=FILE reads patterns of a file"
    return None


def _joined(group: str, key: str) -> str:
    return f"{group}.{key}" if group else key


def _names(node: DictConfig, group: str) -> Iterator[str]:
    """Full names of all settings below a mapping."""
    for key in map(str, node):
        yield (name := _joined(group, key))
        child = node._get_node(key)
        if isinstance(child, DictConfig) and not child._is_interpolation() and not child._is_none() and key != "hydra":
            yield from _names(child, name)
