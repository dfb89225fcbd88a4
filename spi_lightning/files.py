"""Write files whole or not at all, make folders exclusively, and say in one line what the system refuses."""

from __future__ import annotations

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

_STALE: Final = 86400.0  # s after the last write to a part of another machine, whose processes cannot be seen from here
_LONGEST: Final = 180  # bytes of a name that fit into the name of its part
_CAUSES: Final = {
    errno.ENOSPC: "the disk is full; free some space or write elsewhere",
    errno.EDQUOT: "the disk quota is used up; free some space or write elsewhere",
    errno.EROFS: "the file system is read-only; write elsewhere",
    errno.EACCES: "no permission to write there; write elsewhere",
    errno.EPERM: "no permission to write there; write elsewhere",
    errno.ENOTDIR: "a folder in its path is a file; choose another path",
    errno.EISDIR: "it is a folder, where a file is to be written; choose another path",
    errno.EEXIST: "a file stands where a folder is to be made; choose another path",
    errno.ENOENT: "its folder is gone or cannot be made; was it removed meanwhile",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
    errno.EFBIG: "the file would be larger than this system allows; write elsewhere",
    errno.EIO: "the disk reports an error; write elsewhere",
    errno.ESTALE: "the network file system lost the file; write elsewhere",
    errno.ELOOP: "its links name each other; choose another path",
    errno.EMFILE: "too many files are open; raise ulimit -n",
    errno.ENFILE: "too many files are open; raise ulimit -n",
}


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary name beside `path` that replaces it on a clean exit and is removed on any other.

    Folders that are missing are made; after a failure those that were made and are empty are removed. The name is this
    writer's alone, so that two processes may write one file: the later one wins, and it is whole. Parts of writers that
    were killed are removed when their file is written next.

    Raises:
        UserError: The system refuses to write; one line. Errors about other files pass unchanged.
    """
    path = Path(path)
    temporary = path.with_name(f".{_stem(path)}.{_machine()}-{os.getpid()}-{secrets.token_hex(3)}.part")
    try:
        with making(path.parent):
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
        raise refusal(path, error) from error


@contextmanager
def making(folder: str | os.PathLike[str]) -> Iterator[Path]:
    """Make a folder and its parents; after an error those that were made here and are empty are removed again.

    Raises:
        UserError: It cannot be made.
    """
    folder = Path(folder)
    made = missing_folders(folder)
    try:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise refusal(folder, error) from error
        yield folder
    except BaseException:
        remove_empty(made)
        raise


@contextmanager
def locked(path: str | os.PathLike[str], wait: bool = True) -> Iterator[None]:
    """Hold the lock beside a file, which is removed on exit and released by the system if this process dies.

    Its folder is made, and removed again where nothing was put into it. filelock notices a lock that was removed while
    it waited, so that there are never two holders.

    Args:
        path: The file that only one process may make.
        wait: For another holder; else it is an error.

    Raises:
        UserError: Another process holds the lock, or its folder cannot be written.
    """
    path = Path(path)
    with making(path.parent):
        lock = filelock.FileLock(path.with_name(f".{_stem(path)}.lock"))
        try:
            lock.acquire(timeout=-1 if wait else 0)
        except filelock.Timeout as error:
            raise UserError(f"{path} is being made by another run: wait for it, or give another path=") from error
        except OSError as error:
            raise refusal(path.parent, error) from error
        try:
            yield
        finally:
            Path(lock.lock_file).unlink(missing_ok=True)
            lock.release()


@contextmanager
def alone_in(folder: str | os.PathLike[str]) -> Iterator[None]:
    """Work in a folder, made if need be, that no other process works in; nothing is left in it, even by a kill.

    Where the system cannot lock folders, nothing is checked.

    Raises:
        UserError: Another process does.
    """
    with making(folder) as made, ExitStack() as held:
        with suppress(ImportError, OSError):
            import fcntl

            handle = os.open(made, os.O_RDONLY)
            held.callback(os.close, handle)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise UserError(
                    f"folder={folder}: another run is at work in it; wait for it, or give another folder with "
                    "hydra.run.dir="
                ) from error
        yield


def new_folder(path: str | os.PathLike[str]) -> Path:
    """Make a folder that was not there: `path`, or where that is taken path_2, path_3, ...; safe among processes.

    Raises:
        UserError: It cannot be made.
    """
    path, number = Path(path), 1
    while True:
        folder = path if number == 1 else path.with_name(f"{path.name}_{number}")
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            folder.mkdir()
        except FileExistsError as error:
            if not folder.parent.is_dir():
                raise refusal(folder, error) from error
            number += 1
        except OSError as error:
            raise refusal(folder, error) from error
        else:
            return folder


def missing_folders(folder: Path) -> list[Path]:
    """Of a folder and its parents those that are not there, innermost first."""
    return [each for each in (folder, *folder.parents) if not os.path.lexists(each)]


def remove_empty(folders: list[Path]) -> None:
    """Remove folders, innermost first, up to the first that holds something."""
    with suppress(OSError):
        for folder in folders:
            folder.rmdir()


def refusal(path: str | os.PathLike[str], error: OSError) -> UserError:
    """What to tell a user whose file or folder the system refuses to write."""
    cause = _CAUSES.get(error.errno or 0) or f"{error.strerror or error}; write elsewhere"
    return UserError(f"{path}: cannot be written, {cause}")


def concerns_output(error: BaseException) -> bool:
    """Whether an error can only come of writing: a full disk, a quota, a read-only file system, a folder not made."""
    if not isinstance(error, OSError):
        return False
    frames = [frame.f_code.co_name for frame, _ in traceback.walk_tb(error.__traceback__)]
    return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS) or frames[-1:] in (["mkdir"], ["makedirs"])


def write_text(path: str | os.PathLike[str], text: str) -> Path:
    """Write a small file whole or not at all."""
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8", errors="backslashreplace")  # bytes of names that are not UTF-8
    return Path(path)


def write_json(path: str | os.PathLike[str], content: Mapping[str, Any]) -> Path:
    """Write a JSON object, indented, whole or not at all."""
    return write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def content_hash(path: str | os.PathLike[str]) -> str:
    """Sha256 of a file's content, 64 hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def complete_lines(path: Path) -> str:
    """Text of a file that grows by lines, without a last one that was cut by a kill or a full disk."""
    text = path.read_bytes().decode("utf-8", errors="replace")
    return text[: text.rfind("\n") + 1]


def _concerns(error: OSError, *paths: Path) -> bool:
    """Whether an error is about one of the paths or their folder, as far as it says."""
    if error.filename is None or concerns_output(error):
        return True
    named = {os.fsdecode(name) for name in (error.filename, error.filename2) if isinstance(name, str | bytes)}
    return bool(named & {str(each) for path in paths for each in (path, *path.parents)}) or not named


def _stem(path: Path) -> str:
    """Name of a file as its part carries it; the hash of a long one."""
    return path.name if len(os.fsencode(path.name)) <= _LONGEST else hashlib.sha256(os.fsencode(path.name)).hexdigest()


def _machine() -> str:
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:6]


def remove_stale_parts(folder: str | os.PathLike[str]) -> None:
    """Remove, in a folder and those below, the parts whose writers are dead, and old ones of other machines."""
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
