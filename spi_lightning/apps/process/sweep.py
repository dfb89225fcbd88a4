"""Sweeps: the name of each job, jobs that are not repeated, and the table of all of them at the end."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from spi_lightning.apps.configuration.mistake_lines import one_line
from spi_lightning.console import Terminal
from spi_lightning.distributed import launched
from spi_lightning.errors import PrunedError
from spi_lightning.results.runs import State
from spi_lightning.tracking.overrides import key_of
from spi_lightning.tracking.sweep_jobs import finished_job, goes_on, job_name, mark_job, remove_refused

_sweeps: list[Path] = []  # of this process


def name_of_job(number: int, *, _root_: DictConfig) -> str:
    """Name of the folder of the job that is being run, by what varies in the sweep; its number where nothing does."""
    settings = _root_.hydra
    varied = [
        *_varied(sys.argv[1:]),
        *_varied(f"{key}={value}" for key, value in (settings.sweeper.params or {}).items()),
    ]
    return job_name(list(settings.overrides.task), varied) or str(number)


def _varied(words: Any) -> Iterator[str]:
    """Keys of the words that give more than one value."""
    parser = OverridesParser.create()
    for word in words:
        try:
            sweeps = parser.parse_override(word).is_sweep_override()
        except HydraException:
            continue  # an option
        if sweeps:
            yield key_of(word)


def earlier_job(folder: Path, config: DictConfig) -> JobReturn | None:
    """Return of a job that an earlier start of the sweep has finished, else None, and the job is to be run.

    A training that was stopped goes on from its last checkpoint.

    Args:
        folder: Folder of the job.
        config: Its settings, Hydra's too; ``resume`` is set where it goes on.

    Raises:
        UserError: The folder holds a job of other settings.
    """
    words = _words(config)
    if folder.parent not in _sweeps:
        _sweeps.append(folder.parent)
    if (run := finished_job(folder, words)) is not None:
        job = JobReturn(overrides=words, cfg=config, hydra_cfg=config, status=JobStatus.COMPLETED)
        job.return_value = run.numbers.get(str(config.get("objective")))
        return job
    if "resume" in config and not config.resume and goes_on(folder):
        with read_write(config), open_dict(config):
            config.resume = str(folder)
    mark_job(folder, State.UNFINISHED, words)
    return None


def mark_end(folder: Path, config: DictConfig, job: JobReturn) -> None:
    """Mark in its folder how a job has ended."""
    error = job._return_value if job.status is JobStatus.FAILED else None
    state = State.FINISHED if error is None else State.PRUNED if isinstance(error, PrunedError) else State.FAILED
    reason = "" if error is None else one_line(error) or f"{type(error).__name__}: {error}"
    mark_job(folder, state, _words(config), reason.partition("\n")[0])


def _words(config: DictConfig) -> list[str]:
    return [str(word) for word in OmegaConf.to_container(config.hydra.overrides.task) or ()]


def sweeps_compared(main: Callable[[], Any]) -> Callable[[], None]:
    """Command that compares the jobs of its sweep at the end, also when one failed or it was stopped."""

    def command() -> None:
        try:
            main()
        finally:
            for folder in _sweeps if not launched() else ():
                remove_refused(folder)
                if folder.is_dir() and any(each.is_dir() for each in folder.iterdir()):
                    _compare(folder)
            _sweeps.clear()

    return command


def _compare(folder: Path) -> None:
    from spi_lightning.reports.runs import compare_runs, print_comparison, write_outputs

    found = compare_runs([folder])
    print_comparison(found)
    console = Terminal()
    for path in write_outputs(found, [folder]):
        console.print(f"written: {path}", soft_wrap=True)
    if any(run.state in (State.UNFINISHED, State.FAILED) for run in found.runs):
        line = f"to go on, repeat the command with out={folder}: jobs that have finished are not repeated"
        console.print(line, soft_wrap=True)
