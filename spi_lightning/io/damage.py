"""The boundary of every reader: what a damaged file makes libraries raise becomes one line that names the file."""

from __future__ import annotations

import functools
import lzma
import os
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar

from spi_lightning.errors import UserError

_OF_BYTES: Final = (
    OSError,
    EOFError,
    ValueError,
    OverflowError,
    MemoryError,
    struct.error,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
)
_PACKAGE: Final = str(Path(__file__).parents[1])
_MOST_WORDS: Final = 200  # characters of what a library says
P = ParamSpec("P")
R = TypeVar("R")


def is_damage(error: BaseException) -> bool:
    """Whether an error raised while a file is read says something of the file, and not of this package.

    Errors of bytes (what the system, decompressors and conversions of text raise) do, wherever they were raised. Any
    other error does if a library raised it: h5py, tifffile, NumPy and zipfile stumble over damaged bytes with
    KeyError, TypeError or RuntimeError too. Raised in a line of this package it is a fault of ours and stays as it is.
    """
    if isinstance(error, _OF_BYTES):
        return True
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    raised_in = frame.tb_frame.f_code.co_filename if frame is not None else _PACKAGE
    return isinstance(error, Exception) and not raised_in.startswith(_PACKAGE)


def reason(error: BaseException) -> str:
    """What an error says, in one line of bounded length."""
    if isinstance(error, MemoryError):
        return "it announces more than fits into memory"
    words = " ".join(str(error).split()) or type(error).__name__
    return words if len(words) <= _MOST_WORDS else f"{words[:_MOST_WORDS]}..."


def moved(home: Path) -> str:
    """Remedy where a file that names others in other folders lies in another place than it was written in."""
    return f"{home.name} must lie where it lay relative to its data: move it back, or make it again"


def missing(name: str, home: Path) -> str:
    """End of a line about a file that ``home`` names and that is not there: where it was looked for, and the remedy."""
    given = Path(name)
    if not given.is_absolute() and given.parent != Path():
        looked = os.path.normpath(home.resolve().parent / name)
        return f"{name}, which is not there (looked for at {looked}); {moved(home)}"
    there = "there or " if given.is_absolute() else ""
    return f"{name}, which is not there; put it back {there}beside {home.name}"


def require_file(path: Path, remedy: str, where: str = "") -> None:
    """Raise UserError if there is no file to read: nothing, a folder, or a pipe or device, which would never end."""
    if path.is_file():
        return
    missing = "there is no such file" if not path.is_symlink() else "is a link to a file that is not there"
    what = "is a folder, not a file" if path.is_dir() else "is a pipe or a device, not a file"
    raise UserError(f"{where}{path}: {what if path.exists() else missing}; {remedy}")


@contextmanager
def reading(
    path: Path | str | os.PathLike[str], what: str, where: str = "", also: tuple[type[Exception], ...] = ()
) -> Iterator[None]:
    """Read a file inside; a UserError passes, damage becomes one.

    Args:
        path: The file, for the message.
        what: What it is read as.
        where: What to put before the path, e.g. "data.keys.mask=".
        also: Errors of compiled libraries that leave no frame, so that our call seems to raise them.

    Raises:
        UserError: See is_damage.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if not (isinstance(error, also) or is_damage(error)):
            raise
        raise UserError(f"{where}{path}: cannot be read as {what} ({reason(error)}); copy it again") from error


def reads(what: str, also: tuple[type[Exception], ...] = ()) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a function whose first argument is the path of a file, or a method of an object with a ``path``.

    Args:
        what, also: See `reading`; ``also`` too of small parsers, all of whose look-ups are of words of the file.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def bounded(*args: P.args, **kwargs: P.kwargs) -> R:
            first: Any = args[0] if args else next(iter(kwargs.values()))
            with reading(getattr(first, "path", first), what, also=also):
                return function(*args, **kwargs)

        return bounded

    return decorate
