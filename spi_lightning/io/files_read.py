"""Record of the files that a reader opened, in any format: the file itself, its link targets and its side files.

Every reader opens its files by open_patterns, open_hdf5 or read_side_file, which record them here, so that a new format
needs no code for it; hdf5.storage.storage_of records the targets of links.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Final

from spi_lightning.notes import Note

_RECORDING: Final[ContextVar[tuple[dict[Path, None], ...]]] = ContextVar("files_read", default=())


@contextmanager
def files_read() -> Iterator[dict[Path, None]]:
    """Record the files that are opened in the block, as absolute paths in the order of their first use."""
    recorded: dict[Path, None] = {}
    token = _RECORDING.set((*_RECORDING.get(), recorded))
    try:
        yield recorded
    finally:
        _RECORDING.reset(token)


def note_read(path: str | os.PathLike[str]) -> None:
    """Add a file to the record of every enclosing `files_read` block."""
    for recorded in _RECORDING.get():
        recorded[Path(path).absolute()] = None


def list_files(files: Collection[Path], lists: Collection[Path] = ()) -> list[Note]:
    """Note with all files that were read, relative to their common folder; empty for a single file.

    Args:
        files: Absolute paths of the files that were read.
        lists: Index lists among them, which hold file names instead of patterns.
    """
    if len(files) < 2:
        return []
    files, by = [file for file in files if file not in lists], [file.name for file in lists]
    folder = Path(os.path.commonpath([file.parent for file in files]))
    are = f"{len(files)} files are read" if len(files) > 1 else "1 file is read"
    named = f", by the list {', '.join(by)}" if by else ""
    return [Note.of(f"{are}{named}: {', '.join(str(file.relative_to(folder)) for file in files)}", str(folder))]
