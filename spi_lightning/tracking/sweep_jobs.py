"""Jobs of a sweep: named by what varies, marked in their folders, and not repeated once they have finished."""

import hashlib
import re
import shutil
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from spi_lightning.errors import PrunedError, UserError
from spi_lightning.files import write_json
from spi_lightning.io.reading import read_json
from spi_lightning.reports.short_names import short_keys
from spi_lightning.results.runs import JOB, Run, State
from spi_lightning.results.runs.run import read_run
from spi_lightning.tasks.checkpoint_files import LAST

from .overrides import key_of

_LETTERS: Final = 80  # of a name
_FORBIDDEN: Final = re.compile(r"[^\w.+-]+", re.ASCII)  # in what Hydra reads without quotes


def job_name(words: Sequence[str], varied: Collection[str]) -> str:
    """Name of the folder of a job: the settings that vary, such as ``lr-0.01_seed-1``; empty if none of them does.

    Values that are paths are named by their last part. A name that had to be cut or changed ends in six letters of the
    hash of the words.

    Args:
        words: Overrides of the job.
        varied: Keys that vary in the sweep.
    """
    values = {key_of(word): word.partition("=")[2] for word in words if key_of(word) in varied}
    short, exact = short_keys(list(values)), True
    parts = []
    for key, value in values.items():
        plain = value.strip("'\"")
        kept = _FORBIDDEN.sub("-", _rounded(plain).rpartition("/")[2]).strip("-")
        exact &= kept in (plain, _rounded(plain))
        parts.append(f"{short[key].replace('/', '.')}-{kept}")
    name = "_".join(parts)
    if exact and len(name) <= _LETTERS:
        return name
    return f"{name[:_LETTERS]}_{hashlib.sha256(' '.join(words).encode()).hexdigest()[:6]}"


def _rounded(value: str) -> str:
    """A number of many digits, as a search draws it, with four."""
    try:
        return f"{float(value):.4g}" if len(value) > 8 else value
    except ValueError:
        return value


def mark_job(folder: Path, state: State, words: Sequence[str], reason: str = "") -> None:
    """Write state and overrides of a job into its folder, which is made, by an atomic write.

    Args:
        folder: Folder of the job.
        state: How far it has come.
        words: Overrides of the job.
        reason: Why it failed or was pruned, in one line.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / JOB, {"state": str(state), "overrides": list(words), "reason": reason})


def finished_job(folder: Path, words: Sequence[str]) -> Run | None:
    """The finished run of an earlier start of the same job; None where it has to be run.

    Raises:
        UserError: The folder holds a job of other settings.
    """
    if not (folder / JOB).is_file():
        return None
    earlier = read_json(folder / JOB).get("overrides")
    if earlier and sorted(earlier) != sorted(words):
        changed = ", ".join(sorted(set(map(str, earlier)) ^ set(words))) or "their number"
        raise UserError(
            f"{folder}: holds a job of other settings ({changed}); repeat the sweep with its own, "
            "or name another folder with out="
        )
    run = next(read_run(folder))
    return run if run.state is State.FINISHED else None


def goes_on(folder: Path) -> bool:
    """Whether an earlier start of a training has left a state in a folder to go on from."""
    return (folder / LAST).is_file()


def remove_refused(sweep: Path) -> None:
    """Remove the folders of the jobs of a sweep if none of them has begun: they hold nothing but why."""
    jobs = [each for each in sweep.iterdir() if each.is_dir()] if sweep.is_dir() else []
    if all([path.name for path in job.iterdir()] == [JOB] for job in jobs):
        for job in jobs:
            shutil.rmtree(job)


@contextmanager
def closed_if_pruned(close: Callable[[], None]) -> Iterator[None]:
    """Context of a training; ``close`` ends its logs where a search ends it early."""
    try:
        yield
    except PrunedError:
        close()
        raise
