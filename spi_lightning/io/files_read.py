"""Which files a reader opened, whatever the format: the file named, those it links to, and those beside it.

Every reader opens its files in one of three ways (open_patterns, open_hdf5, read_side_file), and each of these notes
the file here, so that a new format need not know of it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Final

import h5py

Stamp = tuple[int, int, int, int]
_RECORDING: Final[ContextVar[tuple[dict[Path, None], ...]]] = ContextVar("files_read", default=())
_DEEPEST: Final = 16  # virtual data sets of virtual data sets


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


def note_dataset(item: h5py.Dataset) -> None:
    """Note every file that holds values of a data set: behind an external link, virtual, raw storage."""
    if _RECORDING.get():
        for path in files_behind(item):
            note_read(path)


def files_behind(item: h5py.Dataset, deepest: int = _DEEPEST) -> Iterator[Path]:
    """Files that hold the values of a data set; those that are not there are left out.

    Args:
        item: Open data set.
        deepest: Levels of virtual data sets that are followed.
    """
    own = Path(os.fsdecode(item.file.filename))
    yield own
    for name, *_ in item.external or ():
        yield from _there(os.fsdecode(name), own)
    if not item.is_virtual or deepest == 0:
        return
    for name, key in dict.fromkeys((source.file_name, source.dset_name) for source in item.virtual_sources()):
        if name == ".":
            yield from _inside(item.file, key, deepest)
            continue
        for path in _there(name, own):
            try:
                with h5py.File(path, "r") as file:
                    yield path
                    yield from _inside(file, key, deepest)
            except OSError:  # not HDF5 any more: the reader says so
                yield path


def _inside(file: h5py.File, key: str, deepest: int) -> Iterator[Path]:
    item = file.get(key)
    if isinstance(item, h5py.Dataset):
        yield from files_behind(item, deepest - 1)


def _there(name: str, own: Path) -> Sequence[Path]:
    """The files that HDF5 would take for a name: beside the file, beside what it links to, here; %b counts."""
    folders = (own.parent, own.resolve().parent, Path())
    if "%b" in name:
        pattern = Path(name.replace("%b", "*")).name
        inner = Path(name).parent
        return sorted({path for folder in folders for path in (folder / inner).glob(pattern)})
    return [path for folder in folders if (path := folder / name).is_file()][:1]


def stamp(path: Path) -> Stamp | None:
    """Device, inode, time of change of the inode (ns) and length (byte) of a file; None where it is gone.

    Unlike the time of change of the content, that of the inode cannot be set back.
    """
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_ctime_ns, status.st_size
