"""Runs below the names of a command: run folders, sweeps, folders of either, and files that a glob matched beside them."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from glob import glob
from pathlib import Path
from typing import Final

from spi_lightning.errors import UserError

from .run import Run, is_run, read_run

_DEPTH: Final = 3  # folders between a named one and its runs: runs/NAME/SWEEP/JOB
_INSIDE: Final = ("checkpoints", "figures", "selection", "wandb", "gallery")  # folders of a run that hold no runs


@dataclass(frozen=True)
class Found:
    """Runs, one for each method of an evaluation, and the names that hold none.

    Attributes:
        runs: Runs in the order of the names, each once.
        skipped: Folders without a run, as they were named.
    """

    runs: tuple[Run, ...]
    skipped: tuple[Path, ...]


def find_runs(names: Sequence[Path]) -> Found:
    """Runs of run folders, sweeps and folders of them; a file that lies in one of these is passed over.

    Args:
        names: Folders, files that a glob may have matched, such as multirun.yaml, and patterns such as runs/hits/*.

    Raises:
        UserError: There is no such file or folder, or no run in any.
    """
    folders: dict[Path, Path] = {}
    skipped: list[Path] = []
    for name in _matched(names):
        if not name.exists():
            raise UserError(f"{name}: there is no such folder; name run folders, sweeps or folders of them")
        below = list(_runs_below(name, _DEPTH)) if name.is_dir() else []
        folders.update({folder.resolve(): folder for folder in below if folder.resolve() not in folders})
        skipped += [name] if name.is_dir() and not below and name.name not in _INSIDE else []
    if not folders:
        named = f"{names[0]}{' and others' * (len(names) > 1)}"
        raise UserError(f"{named}: holds no run; name run folders, sweeps or folders of them")
    return Found(tuple(run for folder in folders.values() for run in read_run(folder)), tuple(skipped))


def _matched(names: Sequence[Path]) -> Iterator[Path]:
    """The names, with what lies behind those that are no file but a pattern of files."""
    for name in names:
        found = [] if name.exists() else sorted(map(Path, glob(str(name))), key=_in_order)  # noqa: PTH207  absolute, too
        yield from found or [name]


def _runs_below(folder: Path, depth: int) -> Iterator[Path]:
    """The folder itself if it is a run, else the runs below it, in the order of their numbers and names."""
    if is_run(folder):
        yield folder
    elif depth > 0:
        inside = [each for each in folder.iterdir() if each.is_dir() and each.name not in _INSIDE]
        for each in sorted(inside, key=_in_order):
            yield from _runs_below(each, depth - 1)


def _in_order(path: Path) -> list[tuple[int, int, str]]:
    """Key that sorts 10 behind 9."""
    parts = re.split(r"(\d+)", path.name)
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]
