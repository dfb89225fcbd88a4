"""Folder of a command's job: its settings, and Hydra's jobs run in folders that are removed when refused."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

from hydra._internal import hydra as hydra_runs
from hydra._internal.core_plugins import basic_launcher as hydra_sweeps
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus, run_job
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from spi_lightning.apps.configuration.resolved import command_words, escaped, recorded
from spi_lightning.distributed import launched
from spi_lightning.tracking import record_run
from spi_lightning.tracking.job_folders import job_in

from .sweep import earlier_job, mark_end


def record(cfg: DictConfig, words: Sequence[str] | None = None) -> dict[str, Any]:
    """Write the resolved configuration and the versions into the run folder; return the former as plain containers.

    Args:
        cfg: Configuration of the command.
        words: Overrides to write down, by default those of the command line.

    Raises:
        UserError: As tracking.record_run.
    """
    config = recorded(cfg)
    command = (command_words() or []) if words is None else words
    record_run(Path(cfg.folder), config, OmegaConf.to_yaml(escaped(config)), command)
    return config


def take_over(is_refusal: Callable[[BaseException], bool]) -> None:
    """Make Hydra run its jobs and sweeps as tracking.job_folders says.

    Args:
        is_refusal: Function that says whether an error is the user's, so that nothing of the job shall remain.
    """
    Plugins.instance()  # runs the modules of its plugins, the launcher's among them, a second time
    for module in (hydra_runs, hydra_sweeps):
        module.run_job = functools.partial(_run_job, is_refusal)  # type: ignore[attr-defined]


def _run_job(
    is_refusal: Callable[[BaseException], bool],
    task_function: Any,
    config: Any,
    job_dir_key: str,
    job_subdir_key: str | None,
    **rest: Any,
) -> JobReturn:
    """Hydra's run_job in a folder that was made here; the settings of a job without results go with it."""
    folder = Path(str(OmegaConf.select(config, job_dir_key)))
    of_sweep = job_subdir_key is not None and not launched()
    if job_subdir_key is not None:
        folder /= str(OmegaConf.select(config, job_subdir_key))
        if of_sweep and (earlier := earlier_job(folder, config)) is not None:
            return earlier
    with read_write(config.hydra), open_dict(config.hydra):
        config.hydra.run.dir = str(folder)  # what Lightning's other processes are started with
    own = cast(dict[str, Any], OmegaConf.to_container(config, resolve=False)).get("folder")
    besides = [Path(own)] if isinstance(own, str) and "${" not in own else []  # the user's folder=, if not Hydra's
    with job_in([folder, *besides]) as end:
        job = run_job(
            task_function=task_function, config=config, job_dir_key=job_dir_key, job_subdir_key=job_subdir_key, **rest
        )
        end.refused = job.status is JobStatus.FAILED and is_refusal(job._return_value)
    if of_sweep:
        mark_end(folder, config, job)
    return job
