"""Which files a reader opened, whatever the format: the file named, those it links to, and those beside it.

Every reader opens its files in one of three ways (open_patterns, open_hdf5, read_side_file), and each of these notes
the file here, so that a new format need not know of it; hdf5_storage.storage_of notes what data sets link to.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Final

from spi_lightning.notes import Note

Stamp = tuple[int, int, int, int]
_RECORDING: Final[ContextVar[tuple[dict[Path, None], ...]]] = ContextVar("files_read", default=())


@contextmanager
def files_read() -> Iterator[dict[Path, None]]:
    """Record the files that are opened in the block: absolute paths in the order of their first use."""
    recorded: dict[Path, None] = {}
    token = _RECORDING.set((*_RECORDING.get(), recorded))
    try:
        yield recorded
    finally:
        _RECORDING.reset(token)


def note_read(path: str | os.PathLike[str]) -> None:
    """Note that a file is read; without a recording nothing happens."""
    for recorded in _RECORDING.get():
        recorded[Path(path).absolute()] = None


def names_of(files: Collection[Path], lists: Collection[Path] = ()) -> list[Note]:
    """A line that names every file that was read, where there is more than the one that was named; relative to all.

    ``lists`` are those of them that hold no patterns but the names of files that do.
    """
    if len(files) < 2:
        return []
    files, by = [file for file in files if file not in lists], [file.name for file in lists]
    folder = Path(os.path.commonpath([file.parent for file in files]))
    are = f"{len(files)} files are read" if len(files) > 1 else "1 file is read"
    named = f", as {', '.join(by)} says" if by else ""
    return [Note.of(f"{are}{named}: {', '.join(str(file.relative_to(folder)) for file in files)}", str(folder))]


def stamp(path: Path) -> Stamp | None:
    """Device, inode, time of change of the inode (ns) and length (byte) of a file; None where it is gone.

    Unlike the time of change of the content, that of the inode cannot be set back.
    """
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_ctime_ns, status.st_size
