"""Entry of every command with a configuration: a user's mistake is one line on stderr and exit status 2.

A run that is stopped says so in one line and exits with 130 (Ctrl-C), 143 (SIGTERM) or 129 (SIGHUP), as shells expect.
"""

import logging
import os
import re
import sys
from collections.abc import Callable
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import HydraException, InstantiationException, MissingConfigException, OverrideParseException
from lightning_fabric.utilities.exceptions import MisconfigurationException
from omegaconf import OmegaConf
from omegaconf.errors import InterpolationResolutionError, MissingMandatoryValue, OmegaConfBaseException

from spi_lightning.apps.configuration.composition import compose_by_signature
from spi_lightning.apps.configuration.plain_words import quote_names
from spi_lightning.apps.configuration.resolved import escaped, keep_names, resolved
from spi_lightning.apps.configuration.unknown_setting import unknown_setting
from spi_lightning.apps.configuration.unknown_target import not_taken, unimportable
from spi_lightning.console import quiet_output
from spi_lightning.distributed import first_process, is_lost_connection, keep_freed_memory, launched, leave, left
from spi_lightning.errors import UserError
from spi_lightning.mistakes import causes_of, mistake_of, signals_end_it, stopped
from spi_lightning.printable import printable
from spi_lightning.settings import with_defaults
from spi_lightning.tasks.checkpoint import find_checkpoint, run_of

from .job_folder import is_output, named_by_the_app, own_folders_removed, take_over

FULL_ERROR = "HYDRA_FULL_ERROR"
_NO_MEMORY = re.compile(r"tried to allocate [\d.]+ \w+|Unable to allocate [\d.]+ \w+", re.IGNORECASE)  # torch, NumPy


def _run_folder(resume: str | None, new: str) -> str:
    """Folder of a run: that of the run it resumes, else a new one."""
    if not resume:
        return named_by_the_app(new)
    find_checkpoint(resume, "resume")
    if run_of(resume).is_file():
        raise UserError(
            f"resume={resume}: lies in no run folder (RUN/checkpoints/last.ckpt); name a folder for it with "
            f"hydra.run.dir=, or start a new run from its weights with checkpoint={resume}"
        )
    return str(run_of(resume))


def _as_yaml(group: str, *, _root_: Any) -> str:
    """A resolved part of the configuration, its defaults too, as text, which hydra's instantiate leaves alone."""
    part = with_defaults(resolved(OmegaConf.select(_root_, group), whole=False))
    return OmegaConf.to_yaml(OmegaConf.create(escaped(part)), sort_keys=True)


# Cached: a configuration that is resolved again names the same folder.
OmegaConf.register_new_resolver("run_folder", _run_folder, replace=True, use_cache=True)
OmegaConf.register_new_resolver("new_folder", named_by_the_app, replace=True, use_cache=True)
OmegaConf.register_new_resolver("as_yaml", _as_yaml, replace=True)
compose_by_signature()


def run_app(main: Callable[[], Any]) -> None:
    """Run a hydra.main function; print a user's mistake as one line and exit with 2.

    Caught are UserError, wherever it was raised (also inside hydra's instantiate or a loader's worker), and the errors
    of Hydra and OmegaConf about unknown groups, keys, values, classes. Any other error is a fault of this package and
    keeps its traceback. HYDRA_FULL_ERROR=1 shows the traceback in every case. The message of a KeyboardInterrupt names
    the next step.
    """
    quiet_output()
    logging.getLogger("hydra.utils").disabled = True  # of a class that it cannot import: the error is raised, too
    keep_freed_memory()
    keep_names()
    sys.argv[1:] = quote_names(sys.argv[1:])
    take_over(lambda error: one_line(error) is not None)
    if os.environ.get(FULL_ERROR) == "1" and not launched():
        with own_folders_removed(), signals_end_it():
            main()
        return
    # Hydra would print the error its own way, in two places, and exit before we see it.
    os.environ[FULL_ERROR] = "1"
    JobReturn.return_value = property(_value_or_error, _keep_value)  # type: ignore[assignment]
    with own_folders_removed(), signals_end_it(), first_process():
        _run(main)


def _run(main: Callable[[], Any]) -> None:
    try:
        main()
    except (Exception, KeyboardInterrupt, SystemExit) as error:
        if (status := stopped(error)) is not None:
            sys.exit(status)
        if isinstance(error, SystemExit):
            raise
        line = one_line(error)
        if launched():
            if line is None and not is_lost_connection(error):
                raise
            leave(line)
            sys.exit(2)
        line = line or left()
        if not line:
            raise
        print(f"error: {printable(line)}", file=sys.stderr)
        sys.exit(2)


def _value_or_error(job: JobReturn) -> Any:
    """What a job returned, or the error it raised; Hydra's own property also writes to stderr."""
    if job.status is JobStatus.FAILED:
        error = job._return_value
        settings = job.hydra_cfg or OmegaConf.create()
        mode, number = (OmegaConf.select(settings, f"hydra.{name}") for name in ("mode", "job.num"))
        if str(mode).endswith("MULTIRUN") and (line := one_line(error)) is not None:
            words = " ".join(job.overrides or [])
            raise UserError(f"job {number} of the sweep ({words}): {line}") from error
        raise error
    return job._return_value


def _keep_value(job: JobReturn, value: Any) -> None:
    job._return_value = value


def one_line(error: BaseException) -> str | None:
    """A user's mistake in one line; None where the error is not the user's."""
    if (line := mistake_of(error, is_output)) is not None:
        return line
    causes = causes_of(error)
    if line := next(filter(None, map(unimportable, causes)), None) or not_taken(causes):
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
            if isinstance(cause.__cause__, MisconfigurationException):
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
        if isinstance(cause, HydraException | OmegaConfBaseException | MisconfigurationException):
            return unknown_setting(causes) or _flat(cause)
    return None


def _unknown_choice(error: MissingConfigException) -> str:
    group, _, choice = str(error.missing_cfg_file).rpartition("/")
    choices = ", ".join(sorted(error.options or [])) or "nothing"
    return f"{group}={choice} is unknown: choose one of {choices}." if group else f"no config named {choice}."


def _flat(error: BaseException) -> str:
    """Hydra's message without its line breaks and its advice on tracebacks."""
    return " ".join(line.strip() for line in str(error).splitlines() if line.strip())
