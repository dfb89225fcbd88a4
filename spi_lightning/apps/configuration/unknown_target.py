"""Errors of a function or class that a YAML names: it cannot be imported, or does not take one of its settings."""

import re
from collections.abc import Sequence

from hydra.errors import InstantiationException

from spi_lightning.settings import parameters

_UNLOADED = re.compile(r"Error loading '([^']+)'")
_CALLED = re.compile(r"Error in (?:call to target '|creating partial\()([\w.]+)")
_NOT_TAKEN = re.compile(r"unexpected keyword argument '(\w+)'")


def unimportable(error: BaseException) -> str | None:
    """Line of a name behind ``_target_`` that leads to nothing, with its remedy; None for another error.

    Args:
        error: One of the causes of an error; Hydra's ImportError has that of the module as its own cause.
    """
    if not isinstance(error, ImportError) or not (found := _UNLOADED.match(str(error))):
        return None
    name, cause = found[1], error.__cause__
    package = name.partition(".")[0]
    if isinstance(cause, ModuleNotFoundError) and cause.name == package:
        return f"{name} cannot be imported: put the folder that holds {package} on PYTHONPATH"
    why = " ".join(str(cause or "it is not there").split())
    return f"{name} cannot be imported: {type(cause).__name__ if cause else 'ImportError'}, {why}"


def not_taken(causes: Sequence[BaseException]) -> str | None:
    """Line of a setting that a function or class has no argument for, with those that it has; None for another error.

    Args:
        causes: An error and its causes, outermost first.
    """
    for cause in causes:
        if not isinstance(cause, InstantiationException) or not (called := _CALLED.match(str(cause))):
            continue
        found, takes = _NOT_TAKEN.search(str(cause.__cause__)), parameters(called[1])
        if found and takes is not None and found[1] not in takes:
            _, has_key, key = str(cause).rpartition("full_key: ")
            return no_setting(f"{key}.{found[1]}" if has_key else found[1], called[1])
    return None


def no_setting(name: str, target: str) -> str:
    """Words for a setting that a part does not take, and those that it does.

    Args:
        name: Full name of the setting, such as ``loss.gama``.
        target: Dotted name of the part, which can be imported.
    """
    there = ", ".join(parameters(target) or ()) or "none"
    return f"{name} is no setting of {target}; there are {there}"
