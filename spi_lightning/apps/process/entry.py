"""Entry of every command with a configuration: a user's mistake is one line on stderr and exit status 2.

A run that is stopped says so in one line and exits with 130 (Ctrl-C), 143 (SIGTERM) or 129 (SIGHUP), as shells expect.
"""

import functools
import logging
import os
import sys
from collections.abc import Callable
from typing import Any, Final

import hydra
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import DictConfig, OmegaConf

from spi_lightning.apps.configuration.composition import compose_by_signature
from spi_lightning.apps.configuration.mistake_lines import one_line
from spi_lightning.apps.configuration.plain_words import as_typed, command_line
from spi_lightning.apps.configuration.resolved import escaped, keep_names, resolved
from spi_lightning.console import quiet_output
from spi_lightning.distributed import first_process, keep_freed_memory, launched, shared_line
from spi_lightning.errors import UserError
from spi_lightning.locations import CONF
from spi_lightning.mistakes import run_plain, signals_end_it, stopped_with
from spi_lightning.results.runs.run import SWEEP
from spi_lightning.settings import with_defaults
from spi_lightning.tracking.job_folders import new_folder, own_folders_removed, run_folder

from .job_folder import take_over
from .sweep import name_of_job, sweeps_compared

FULL_ERROR = "HYDRA_FULL_ERROR"
AGAIN: Final = {"evaluate": "goes on from the answers that are kept", "label": "goes on where it stopped"}
"""What the same line does after an interrupt, if it does not begin again."""


def _as_yaml(group: str, *, _root_: Any) -> str:
    """A resolved part of the configuration, its defaults too, as text, which hydra's instantiate leaves alone."""
    part = with_defaults(resolved(OmegaConf.select(_root_, group), whole=False))
    return OmegaConf.to_yaml(OmegaConf.create(escaped(part)), sort_keys=True)


# Cached: a configuration that is resolved again names the same folder.
OmegaConf.register_new_resolver("run_folder", run_folder, replace=True, use_cache=True)
OmegaConf.register_new_resolver("new_folder", new_folder, replace=True, use_cache=True)
OmegaConf.register_new_resolver("job_name", name_of_job, replace=True)
OmegaConf.register_new_resolver("as_yaml", _as_yaml, replace=True)
compose_by_signature()


def run_app(function: Callable[[DictConfig], Any], first: int = 1, file_key: str = "", name: str = "") -> None:
    """Run a command on the configuration of its words; a user's mistake is one line, and the exit status is 2.

    Caught are UserError, wherever it was raised (also inside hydra's instantiate or a loader's worker), and the errors
    of Hydra and OmegaConf about unknown groups, keys, values, classes. Any other error is a fault of this package and
    keeps its traceback. HYDRA_FULL_ERROR=1 shows the traceback in every case. The message of a KeyboardInterrupt names
    the next step.

    Args:
        function: Function of the configuration.
        first: Number of leading words of sys.argv that are not overrides, see apps.spi.
        file_key: Setting that a bare word stands for; empty where there is none.
        name: Name of the configuration's file in conf/; empty: that of the function.
    """
    quiet_output()
    logging.getLogger("hydra.utils").disabled = True  # of a class that it cannot import: the error is raised, too
    keep_freed_memory()
    keep_names()
    take_over(lambda error: one_line(error) is not None)

    name = name or function.__name__

    def main() -> None:
        begun, words = sys.argv[:first], command_line(name, sys.argv[first:], file_key)

        @functools.wraps(function)
        def task(cfg: DictConfig) -> Any:
            sys.argv = [*begun, *words]  # as the other processes of a training are started
            with stopped_with(lambda: f"{as_typed(name, words)} {AGAIN.get(name, 'begins again')}"):
                return function(cfg)

        sys.argv = [begun[0], *words]
        hydra.main(version_base="1.3", config_path=str(CONF), config_name=name)(task)()

    if os.environ.get(FULL_ERROR) == "1" and not launched():
        with own_folders_removed(SWEEP), signals_end_it():
            sweeps_compared(main)()
        return
    # Hydra would print the error its own way, in two places, and exit before we see it.
    os.environ[FULL_ERROR] = "1"
    JobReturn.return_value = property(_value_or_error, _keep_value)  # type: ignore[assignment]
    with own_folders_removed(SWEEP), first_process():
        status = run_plain(sweeps_compared(main), lambda error: shared_line(one_line(error), error))
    if status:
        sys.exit(status)


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
