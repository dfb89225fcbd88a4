"""Folder of a job: a new one where the user names none, and left as it was found when the job is refused."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from hydra._internal import hydra as hydra_runs
from hydra._internal.core_plugins import basic_launcher as hydra_sweeps
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus, run_job
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from spi_lightning.apps.configuration.resolved import command_words, escaped, recorded
from spi_lightning.errors import UserError
from spi_lightning.files import (
    create_folder,
    folder_lock,
    missing_folders,
    remove_empty,
    unique_folder,
)
from spi_lightning.tracking import CONFIG, VERSIONS, record_run

SWEEP: Final = "multirun.yaml"  # Hydra writes it into the folder of a sweep before its first job
Result = TypeVar("Result")
_folders: list[Path] = []  # that the jobs of this process write to
_made: list[Path] = []  # folders that this process has named and made itself, and their parents, innermost first


def named_by_the_app(name: str) -> str:
    """Make the folder of a run or sweep that the user did not name, with a suffix where another run has taken it."""
    missing = missing_folders(Path(name).absolute())
    folder = unique_folder(name)
    _made[:0] = [folder.absolute(), *(each for each in missing if each != Path(name).absolute())]
    return str(folder)


def alone(work: Callable[[DictConfig], Result]) -> Callable[[DictConfig], Result]:
    """Decorator: work of a configuration in its ``folder`` is refused while another process uses it."""

    @functools.wraps(work)
    def guarded(cfg: DictConfig) -> Result:
        launched = os.environ.get("LOCAL_RANK", "0") != "0"  # by the process that holds the lock
        if launched or not isinstance(cfg.folder, str):  # which is refused with the other types
            return work(cfg)
        with folder_lock(cfg.folder):
            return work(cfg)

    return guarded


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
    """Make Hydra run its jobs and sweeps in folders that this module creates and removes.

    Args:
        is_refusal: Function that says whether an error is the user's, so that nothing of the job shall remain.
    """
    Plugins.instance()  # runs the modules of its plugins, the launcher's among them, a second time
    for module in (hydra_runs, hydra_sweeps):
        module.run_job = functools.partial(_run_job, is_refusal)  # type: ignore[attr-defined]


@contextmanager
def own_folders_removed() -> Iterator[None]:
    """Remove the folders that were named by the app and that nothing was put into, whatever happens."""
    try:
        yield
    finally:
        for folder in _made:
            with suppress(OSError):
                if _entries(folder) == {SWEEP}:  # all of its jobs were refused
                    (folder / SWEEP).unlink()
        for folder in _made:
            remove_empty([folder])
        _made.clear()


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
    if job_subdir_key is not None:
        folder /= str(OmegaConf.select(config, job_subdir_key))
    with read_write(config.hydra), open_dict(config.hydra):
        config.hydra.run.dir = str(folder)  # what Lightning's other processes are started with
    named = [folder.absolute(), *_named_besides(config)]
    missing = [each for path in named for each in missing_folders(path)]
    before = {path: _entries(path) for path in named}
    _folders.extend(named)
    finished = False
    try:
        with create_folder(folder):
            job = run_job(
                task_function=task_function,
                config=config,
                job_dir_key=job_dir_key,
                job_subdir_key=job_subdir_key,
                **rest,
            )
        finished = job.status is not JobStatus.FAILED
        if not finished and is_refusal(job._return_value):
            for path, entries in before.items():
                with suppress(UserError):  # of another run at work there, whose settings they are
                    if path.is_dir():
                        with folder_lock(path):
                            _remove_settings(path, _entries(path) - entries)
    finally:
        if not finished:
            for each in missing:
                remove_empty([each])
    return job


def is_output(name: object) -> bool:
    """Whether a file lies in the folder of a job, other than the working directory."""
    if not isinstance(name, str | os.PathLike):
        return False
    above = Path(name).absolute().parents
    return any(folder in above for folder in _folders if folder != Path.cwd())


def _named_besides(config: Any) -> list[Path]:
    """The user's own ``folder=``, where it is not Hydra's."""
    folder = cast(dict[str, Any], OmegaConf.to_container(config, resolve=False)).get("folder")
    return [Path(folder).absolute()] if isinstance(folder, str) and "${" not in folder else []


def _entries(folder: Path) -> set[str]:
    with suppress(OSError):
        return {each.name for each in folder.iterdir()}
    return set()


def _remove_settings(folder: Path, new: set[str]) -> None:
    """Remove the settings that a refused job has written, if there is nothing else of it."""
    if new <= {CONFIG, VERSIONS}:
        for name in new:
            (folder / name).unlink(missing_ok=True)
