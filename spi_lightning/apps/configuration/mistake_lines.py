"""Lines of a user's mistakes in a configuration, made of the errors of Hydra and OmegaConf."""

import re
import sys
from collections.abc import Sequence
from typing import Any, Final, cast

from hydra.errors import HydraException, InstantiationException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationResolutionError, MissingMandatoryValue, OmegaConfBaseException

from spi_lightning.locations import CONF
from spi_lightning.mistakes import causes_of, mistake_of
from spi_lightning.settings import no_setting, parameters, unknown_setting
from spi_lightning.tracking.job_folders import is_output

_NO_MEMORY: Final = re.compile(
    r"tried to allocate [\d.]+ \w+|Unable to allocate [\d.]+ \w+", re.IGNORECASE
)  # torch, NumPy
_REFUSED: Final = re.compile(r"Could not override '([^']+)'")
_UNLOADED: Final = re.compile(r"Error loading '([^']+)'")
_CALLED: Final = re.compile(r"Error in (?:call to target '|creating partial\()([\w.]+)")
_NEEDED: Final = re.compile(r"Requirement '([\w-]+)|`([\w-]+)` is not installed")  # Lightning's words
_NOT_TAKEN: Final = re.compile(r"unexpected keyword argument '(\w+)'")


def one_line(error: BaseException) -> str | None:
    """A user's mistake in one line; None where the error is not the user's."""
    if (line := mistake_of(error, is_output)) is not None:
        return line
    causes = causes_of(error)
    lines = (each(cause) for cause in causes for each in (_unimportable, _not_installed))
    if line := next(filter(None, lines), None) or _not_taken(causes):
        return line
    for cause in causes:
        if isinstance(cause, MissingConfigException) and cause.missing_cfg_file:
            return _unknown_choice(cause)
        if isinstance(cause, MissingMandatoryValue):
            return f"{cause.full_key} has no value: add {cause.full_key}=... to the command."
        if isinstance(cause, InterpolationResolutionError):
            word = cause.full_key or next((word for word in sys.argv if "${" in word), "configuration")
            return f"{word}: {_flat(cause)}; ${{...}} stands for another setting, link or rename a file called so"
        if isinstance(cause, InstantiationException):
            if _of_lightning(cause.__cause__):
                return f"{str(cause).rpartition('full_key: ')[2]}: {_flat(cause.__cause__)}"
            return _flat(cause) if isinstance(cause.__cause__, TypeError | None) else None
        if isinstance(cause, OverrideParseException):
            return f"cannot read the override {cause.override!r}: {_flat(cause)}"
        if isinstance(cause, ValueError) and str(cause).startswith("Config group override"):
            return f"a group of settings takes the name of one of its choices, or no word at all ({_flat(cause)})"
        if isinstance(cause, ValueError) and str(cause).strip().startswith("`val_check_interval`"):
            return f"trainer: {_flat(cause)}"
        if isinstance(cause, MemoryError | RuntimeError) and (wanted := _NO_MEMORY.search(str(cause))):
            return f"there is not enough memory ({wanted[0]}): ask for less at a time, or for smaller patterns"
        if isinstance(cause, HydraException | OmegaConfBaseException) or _of_lightning(cause):
            return _unknown(causes) or _flat(cause)
    return None


def _of_lightning(error: BaseException | None) -> bool:
    """Whether Lightning refuses a setting, by the name of its error, so that it need not be imported."""
    return type(error).__name__ == "MisconfigurationException"


def _unknown_choice(error: MissingConfigException) -> str:
    group, _, choice = str(error.missing_cfg_file).rpartition("/")
    choices = ", ".join(sorted(error.options or [])) or "nothing"
    return f"{group}={choice} is unknown: choose one of {choices}." if group else f"no config named {choice}."


def _flat(error: BaseException | None) -> str:
    """Hydra's message without its line breaks and its advice on tracebacks."""
    return " ".join(line.strip() for line in str(error).splitlines() if line.strip())


def _unknown(causes: Sequence[BaseException]) -> str | None:
    """Line of a setting that does not exist; None where Hydra's words are better: a free mapping, another error."""
    found = (_REFUSED.match(str(cause)) for cause in causes)
    wanted = next((match[1] for match in found if match), None)
    parents = (cause.parent_node for cause in causes if isinstance(cause, OmegaConfBaseException))
    parent = next((node for node in parents if isinstance(node, DictConfig)), None)
    if wanted is None or not parent:  # an empty mapping takes any name, with a plus
        return None
    there = cast(dict[str, Any], OmegaConf.to_container(parent, resolve=False))
    remedy = from_a_file(str(there.get("_target_", "")), wanted.rpartition(".")[2])
    return unknown_setting(wanted, str(parent._get_full_key(None) or ""), there, remedy)


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
        reads = str(OmegaConf.select(OmegaConf.load(path), "_target_")).rpartition(".")[2]
        if reads == module.removeprefix("Simulated"):
            return f"data={path.stem} data.path=FILE reads patterns of a file"
    return None


def _unimportable(error: BaseException) -> str | None:
    """Message on a ``_target_`` that cannot be imported, with its remedy; None for another error."""
    if not isinstance(error, ImportError) or not (found := _UNLOADED.match(str(error))):
        return None
    name, cause = found[1], error.__cause__
    package = name.partition(".")[0]
    if isinstance(cause, ModuleNotFoundError) and cause.name == package:
        return f"{name} cannot be imported: put the folder that holds {package} on PYTHONPATH"
    why = " ".join(str(cause or "it is not there").split())
    return f"{name} cannot be imported: {type(cause).__name__ if cause else 'ImportError'}, {why}"


def _not_installed(error: BaseException) -> str | None:
    """Line of a package that a part of Lightning needs beyond its own; None for another error."""
    if not isinstance(error, ModuleNotFoundError) or not (found := _NEEDED.search(str(error))):
        return None
    return f"{found[1] or found[2]} is not installed: pip install {found[1] or found[2]}"


def _not_taken(causes: Sequence[BaseException]) -> str | None:
    """Line of a setting that a function or class has no argument for, with those that it has; None for others."""
    for cause in causes:
        if not isinstance(cause, InstantiationException) or not (called := _CALLED.match(str(cause))):
            continue
        found, takes = _NOT_TAKEN.search(str(cause.__cause__)), parameters(called[1])
        if found and takes is not None and found[1] not in takes:
            _, has_key, key = str(cause).rpartition("full_key: ")
            return no_setting(f"{key}.{found[1]}" if has_key else found[1], called[1])
    return None
