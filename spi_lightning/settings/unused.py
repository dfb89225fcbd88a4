"""Parts of a configuration that nothing in it refers to."""

import re
from collections.abc import Iterable, Mapping, Set
from typing import Any, Final

_NAMED: Final = re.compile(r"\$\{(?:[\w.]+:)?(\w+)")


def unused_parts(config: Mapping[str, Any], parts: Iterable[str]) -> Set[str]:
    """Names of the parts that no interpolation such as ``${network}`` reaches, directly or through another part.

    Args:
        config: Configuration as plain containers, interpolations unresolved.
        parts: Names of groups that are used only where another setting names them, as far as they hold a ``_target_``.
    """
    named = {name: set(_NAMED.findall(str(value))) for name, value in config.items()}
    found = {name for name in parts if "_target_" in (config.get(name) or {})}
    return found - _reached(named.keys() - found - {"hydra"}, named)


def _reached(begin: Set[str], named: Mapping[str, Set[str]]) -> Set[str]:
    """Names that can be reached from those to begin with, themselves included."""
    found: Set[str] = set()
    while ahead := begin - found:
        found = found | ahead
        begin = {name for each in ahead for name in named.get(each, ())}
    return found
