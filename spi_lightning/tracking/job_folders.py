"""Folders of the jobs of a process: a new one where the user names none, and left as found when a job is refused."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from spi_lightning.errors import UserError
from spi_lightning.files import create_folder, folder_lock, missing_folders, remove_empty, unique_folder
from spi_lightning.results.runs import JOB
from spi_lightning.results.training import CONFIG, VERSIONS
from spi_lightning.tasks.checkpoint_files import find_checkpoint, run_of

Config = TypeVar("Config", bound=Any)
Result = TypeVar("Result")
_filled: list[Path] = []  # that the jobs of this process write to
_made: list[Path] = []  # folders that this process has named and made itself, and their parents, innermost first


@dataclass
class JobEnd:
    """How a job ended.

    Attributes:
        refused: Whether it ended by a mistake of the user, so that nothing of it shall remain.
    """

    refused: bool = False


def new_folder(name: str) -> str:
    """Make the folder of a run or sweep that the user did not name, with a suffix where another run has taken it."""
    missing = missing_folders(Path(name).absolute())
    folder = unique_folder(name)
    _made[:0] = [folder.absolute(), *(each for each in missing if each != Path(name).absolute())]
    return str(folder)


def alone(work: Callable[[Config], Result]) -> Callable[[Config], Result]:
    """Decorator: work in the ``folder`` of its configuration is refused while another process uses that folder."""

    @functools.wraps(work)
    def guarded(cfg: Config) -> Result:
        launched = os.environ.get("LOCAL_RANK", "0") != "0"  # by the process that holds the lock
        if launched or not isinstance(cfg.folder, str):  # which is refused with the other types
            return work(cfg)
        with folder_lock(cfg.folder):
            return work(cfg)

    return guarded


def run_folder(resume: str | None, new: str) -> str:
    """Folder of a run: that of the run it resumes, else a new one."""
    if not resume:
        return new_folder(new)
    find_checkpoint(resume, "resume")
    if run_of(resume).is_file():
        raise UserError(
            f"resume={resume}: lies in no run folder (RUN/checkpoints/last.ckpt); name a folder for it with "
            f"out=, or start a new run from its weights with checkpoint={resume}"
        )
    return str(run_of(resume))


@contextmanager
def own_folders_removed(leftover: str) -> Iterator[None]:
    """Context after which empty folders of new_folder are removed, also after an error.

    Args:
        leftover: Name of a file that is removed with its folder where it is alone there.
    """
    try:
        yield
    finally:
        for folder in _made:
            with suppress(OSError):
                if _entries(folder) == {leftover}:
                    (folder / leftover).unlink()
        for folder in _made:
            remove_empty([folder])
        _made.clear()


@contextmanager
def job_in(folders: Sequence[Path]) -> Iterator[JobEnd]:
    """Context of a job; the settings that a refused one has written go, if there is nothing else of it.

    Folders that were made for it and are still empty at its end go too.

    Args:
        folders: Folders that the job writes to; the first is made.

    Yields:
        Record to be filled in with how the job ended.
    """
    folders = [folder.absolute() for folder in folders]
    missing = [each for path in folders for each in missing_folders(path)]
    before = {path: _entries(path) for path in folders}
    _filled.extend(folders)
    end = JobEnd()
    try:
        with create_folder(folders[0]):
            yield end
        for path, entries in before.items() if end.refused else ():
            with suppress(UserError):  # of another run at work there, whose settings they are
                if path.is_dir():
                    with folder_lock(path):
                        _remove_settings(path, _entries(path) - entries)
    finally:
        for each in missing:
            remove_empty([each])


def is_output(name: object) -> bool:
    """Whether a file lies in the folder of a job, other than the working directory."""
    if not isinstance(name, str | os.PathLike):
        return False
    above = Path(name).absolute().parents
    return any(folder in above for folder in _filled if folder != Path.cwd())


def _entries(folder: Path) -> set[str]:
    with suppress(OSError):
        return {each.name for each in folder.iterdir()}
    return set()


def _remove_settings(folder: Path, new: set[str]) -> None:
    if new <= {CONFIG, VERSIONS, JOB}:
        for name in new:
            (folder / name).unlink(missing_ok=True)
