"""Arguments of the classes and functions that settings name by ``_target_``, with their descriptions."""

import inspect
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import griffe

from spi_lightning.settings.signatures import PACKAGE, named, parameters

logging.getLogger("griffe").setLevel(logging.ERROR)


@dataclass(frozen=True)
class Argument:
    """One argument of a signature.

    Attributes:
        name: Its name.
        default: Its default as it is written in YAML; empty where it has none that a file can hold.
        about: Its description in the docstring.
    """

    name: str
    default: str
    about: str


@dataclass(frozen=True)
class Target:
    """What a setting builds.

    Attributes:
        about: First paragraph of the docstring.
        arguments: Arguments in the order of the signature.
    """

    about: str
    arguments: tuple[Argument, ...]


@cache
def arguments_of(target: str) -> Target:
    """Description and arguments of a class or function of this package; nothing of others."""
    takes = parameters(target) if target.startswith(PACKAGE) else None
    if takes is None:
        return Target("", ())
    called = named(target)
    texts = _descriptions(called)
    plain = [each for each in takes.values() if each.kind is not each.VAR_POSITIONAL]
    about = " ".join((inspect.getdoc(called) or "").split("\n\n")[0].split())
    return Target(about, tuple(Argument(each.name, _default(each), texts.get(each.name, "")) for each in plain))


def _default(parameter: inspect.Parameter) -> str:
    value = parameter.default
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float | str | tuple | list) else ""


def _descriptions(called: object) -> Mapping[str, str]:
    """Description of each argument, of a class also those in the docstrings of its bases and of __init__."""
    owners = list(reversed(called.__mro__)) if inspect.isclass(called) else [called]
    texts: dict[str, str] = {}
    for owner in owners:
        for each in (vars(owner).get("__init__"), owner) if inspect.isclass(owner) else (owner,):
            texts |= _of_docstring(each.__doc__ or "" if each is not None else "")
    return texts


def _of_docstring(text: str) -> dict[str, str]:
    parsed = griffe.parse_google(griffe.Docstring(inspect.cleandoc(text)), warnings=False)
    found: dict[str, str] = {}
    for section in parsed:
        if section.kind in (griffe.DocstringSectionKind.parameters, griffe.DocstringSectionKind.attributes):
            for each in section.value:
                for name in each.name.split(","):
                    found[name.strip()] = " ".join(each.description.split())
    return found
