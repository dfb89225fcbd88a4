"""Atomic writes, exclusive folders, locks, content hashes, and one-line errors of the file system."""

import errno
import glob
import hashlib
import json
import os
import secrets
import socket
import time
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import filelock

from .errors import UserError

_STALE: Final = 86400.0  # s since the last write to a temporary file of another machine, whose processes are unknown
_LONGEST: Final = 180  # bytes of a name that fit into the name of its temporary file
_CAUSES: Final = {
    errno.ENOSPC: "the disk is full; free some space or write elsewhere",
    errno.EDQUOT: "the disk quota is used up; free some space or write elsewhere",
    errno.EROFS: "the file system is read-only; write elsewhere",
    errno.EACCES: "no permission to write there; write elsewhere",
    errno.EPERM: "no permission to write there; write elsewhere",
    errno.ENOTDIR: "a folder in its path is a file; choose another path",
    errno.EISDIR: "it is a folder, where a file is to be written; choose another path",
    errno.EEXIST: "a file has the name of the folder to create; choose another path",
    errno.ENOENT: "its folder does not exist and cannot be created; check whether it was removed",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
    errno.EFBIG: "the file would be larger than this system allows; write elsewhere",
    errno.EIO: "the disk reports an error; write elsewhere",
    errno.ESTALE: "the network file system lost the file; write elsewhere",
    errno.ELOOP: "its symbolic links form a loop; choose another path",
    errno.EMFILE: "too many files are open; raise ulimit -n",
    errno.ENFILE: "too many files are open; raise ulimit -n",
}


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Atomic write: a temporary file beside `path` that replaces it on a clean exit and is removed on any other.

    Missing folders are created, and removed again if empty after a failure. The temporary name is unique to its writer,
    so two processes may write one file: the later one wins, and its file is complete. Temporary files of killed
    writers are removed at the next write of their file.

    Raises:
        UserError: The system refuses to write; one line. Errors about other files pass unchanged.
    """
    path = Path(path)
    temporary = path.with_name(f".{_stem(path)}.{_machine()}-{os.getpid()}-{secrets.token_hex(3)}.part")
    try:
        with create_folder(path.parent):
            _remove_stale(path.parent.glob(f".{glob.escape(_stem(path))}.*.part"))
            try:
                yield temporary
                temporary.replace(path)
            finally:
                with suppress(OSError):
                    temporary.unlink()
    except OSError as error:
        if not _concerns(error, temporary, path):
            raise
        raise write_error(path, error) from error


@contextmanager
def create_folder(folder: str | os.PathLike[str]) -> Iterator[Path]:
    """Create a folder and its parents; after an error, remove those created here that are empty.

    Raises:
        UserError: The folder cannot be created.
    """
    folder = Path(folder)
    made = missing_folders(folder)
    try:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise write_error(folder, error) from error
        yield folder
    except BaseException:
        remove_empty(made)
        raise


@contextmanager
def file_lock(path: str | os.PathLike[str], wait: bool = True) -> Iterator[None]:
    """Lock file beside a file, removed on exit and released by the system if this process dies.

    Its folder is created, and removed again if nothing was written into it. filelock detects a lock that was removed
    while it waited, so there are never two holders.

    Args:
        path: File that only one process may write.
        wait: Whether to wait for another holder of the lock; False raises instead.

    Raises:
        UserError: Another process holds the lock, or its folder cannot be written.
    """
    path = Path(path)
    with create_folder(path.parent):
        lock = filelock.FileLock(path.with_name(f".{_stem(path)}.lock"))
        try:
            lock.acquire(timeout=-1 if wait else 0)
        except filelock.Timeout as error:
            raise UserError(f"{path} is being written by another run: wait for it, or give another path=") from error
        except OSError as error:
            raise write_error(path.parent, error) from error
        try:
            yield
        finally:
            Path(lock.lock_file).unlink(missing_ok=True)
            lock.release()


@contextmanager
def folder_lock(folder: str | os.PathLike[str]) -> Iterator[None]:
    """Exclusive lock (flock) on a folder, created if missing; leaves no file in it, even after a kill.

    Where the system cannot lock folders, nothing is checked.

    Raises:
        UserError: Another process holds the lock, or the folder cannot be created.
    """
    with create_folder(folder) as created, ExitStack() as stack:
        with suppress(ImportError, OSError):
            import fcntl

            handle = os.open(created, os.O_RDONLY)
            stack.callback(os.close, handle)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise UserError(
                    f"folder={folder}: another run is using it; wait for it, or give another folder with out="
                ) from error
        yield


def unique_folder(path: str | os.PathLike[str]) -> Path:
    """Create a folder that did not exist: `path`, or if taken path_2, path_3 and so on; safe among processes.

    Raises:
        UserError: The folder cannot be created.
    """
    path, number = Path(path), 1
    while True:
        folder = path if number == 1 else path.with_name(f"{path.name}_{number}")
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            folder.mkdir()
        except FileExistsError as error:
            if not folder.parent.is_dir():
                raise write_error(folder, error) from error
            number += 1
        except OSError as error:
            raise write_error(folder, error) from error
        else:
            return folder


def missing_folders(folder: Path) -> list[Path]:
    """The folder and its parents that do not exist, innermost first."""
    return [each for each in (folder, *folder.parents) if not os.path.lexists(each)]


def remove_empty(folders: list[Path]) -> None:
    """Remove folders in the order given, up to the first that is not empty."""
    with suppress(OSError):
        for folder in folders:
            folder.rmdir()


def write_error(path: str | os.PathLike[str], error: OSError) -> UserError:
    """UserError of a file or folder that cannot be written: its path, the cause and the remedy."""
    cause = _CAUSES.get(error.errno or 0) or f"{error.strerror or error}; write elsewhere"
    return UserError(f"{path}: cannot be written, {cause}")


def is_write_error(error: BaseException) -> bool:
    """Whether an error can only come from writing: a full disk, a quota, a read-only file system, a failed mkdir."""
    if not isinstance(error, OSError):
        return False
    frames = [frame.f_code.co_name for frame, _ in traceback.walk_tb(error.__traceback__)]
    return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS) or frames[-1:] in (["mkdir"], ["makedirs"])


def write_text(path: str | os.PathLike[str], text: str) -> Path:
    """Write a text file (UTF-8) atomically."""
    with atomic_write(path) as part:
        part.write_text(text, encoding="utf-8", errors="backslashreplace")  # bytes of names that are not UTF-8
    return Path(path)


def write_json(path: str | os.PathLike[str], content: Mapping[str, Any]) -> Path:
    """Write an indented JSON object atomically; NaN and infinity raise ValueError."""
    return write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def content_hash(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file's content, 64 hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_stamp(path: Path) -> tuple[int, int, int, int] | None:
    """Device, inode, time of change of the inode (ns) and length (byte) of a file; None where it is gone.

    Unlike the time of change of the content, that of the inode cannot be set back.
    """
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_ctime_ns, status.st_size


def complete_lines(path: Path) -> str:
    """Complete lines of a growing text file; a last line without line break (after a kill, a full disk) is left out."""
    text = path.read_bytes().decode("utf-8", errors="replace")
    return text[: text.rfind("\n") + 1]


def _concerns(error: OSError, *paths: Path) -> bool:
    """Whether an error names one of the paths or their folders, or no file at all."""
    if error.filename is None or is_write_error(error):
        return True
    named = {os.fsdecode(name) for name in (error.filename, error.filename2) if isinstance(name, str | bytes)}
    return bool(named & {str(each) for path in paths for each in (path, *path.parents)}) or not named


def _stem(path: Path) -> str:
    """Name of a file within that of its temporary file; a hash if it is long."""
    return path.name if len(os.fsencode(path.name)) <= _LONGEST else hashlib.sha256(os.fsencode(path.name)).hexdigest()


def _machine() -> str:
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:6]


def remove_stale_parts(folder: str | os.PathLike[str]) -> None:
    """Remove, recursively, temporary files whose writer no longer runs, and those of other machines after one day."""
    _remove_stale(Path(folder).rglob(".*.part"))


def _remove_stale(parts: Iterable[Path]) -> None:
    for part in list(parts):
        words = part.name.removesuffix(".part").rpartition(".")[2].split("-")
        with suppress(OSError, ValueError):
            if len(words) == 3 and words[0] == _machine():
                stale = not _alive(int(words[1]))
            else:
                stale = time.time() - part.stat().st_mtime > _STALE
            if stale:
                part.unlink()


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # another user's
        return True
    return True
