"""Conversion of errors that damaged files raise in libraries into one UserError that names the file."""

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
_MAX_CHARACTERS: Final = 200  # of a library's message
P = ParamSpec("P")
R = TypeVar("R")


def is_damage(error: BaseException) -> bool:
    """Whether an error raised while a file is read comes from the file, and not from a fault of this package.

    Errors of the system, of decompressors and of text conversion do, wherever they were raised. Any other error does if
    a library raised it: h5py, tifffile, NumPy and zipfile answer damaged bytes with KeyError, TypeError or RuntimeError
    too. Raised in a line of this package, it is a fault of the package and passes unchanged.
    """
    if isinstance(error, _OF_BYTES):
        return True
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    raised_in = frame.tb_frame.f_code.co_filename if frame is not None else _PACKAGE
    return isinstance(error, Exception) and not raised_in.startswith(_PACKAGE)


def reason(error: BaseException) -> str:
    """Message of an error in one line of at most 200 characters."""
    if isinstance(error, MemoryError):
        return "its header announces more than fits into memory"
    words = " ".join(str(error).split()) or type(error).__name__
    return words if len(words) <= _MAX_CHARACTERS else f"{words[:_MAX_CHARACTERS]}..."


def moved(home: Path) -> str:
    """Remedy where a file that refers to others by relative paths was moved."""
    return f"{home.name} refers to its data by relative paths: move it back, or write it again"


def missing(name: str, home: Path) -> str:
    """End of a message on a file that ``home`` refers to and that is missing: the path searched, and the remedy."""
    path = Path(name)
    if not path.is_absolute() and path.parent != Path():
        searched = os.path.normpath(home.resolve().parent / name)
        return f"{name}, which does not exist (searched at {searched}); {moved(home)}"
    there = "there or " if path.is_absolute() else ""
    return f"{name}, which does not exist; put it back {there}beside {home.name}"


def require_file(path: Path, remedy: str, where: str = "") -> None:
    """Raise UserError if a path is not a regular file: missing, a folder, or a pipe or device, which never ends.

    Args:
        path: Path of the file to read.
        remedy: End of the message, what the user can do.
        where: Text before the path in the message, e.g. "data.keys.mask=".
    """
    if path.is_file():
        return
    missing = "there is no such file" if not path.is_symlink() else "is a link to a file that does not exist"
    what = "is a folder, not a file" if path.is_dir() else "is a pipe or a device, not a file"
    raise UserError(f"{where}{path}: {what if path.exists() else missing}; {remedy}")


@contextmanager
def reading(
    path: Path | str | os.PathLike[str], what: str, where: str = "", also: tuple[type[Exception], ...] = ()
) -> Iterator[None]:
    """Context manager of reading a file: errors of damage become a UserError, a UserError passes.

    Args:
        path: Path of the file, for the message.
        what: Name of the format, as in "cannot be read as ...".
        where: Text before the path in the message, e.g. "data.keys.mask=".
        also: Further errors of damage, of compiled libraries that leave no frame in the traceback.

    Raises:
        UserError: The block raised an error of damage, see is_damage.
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
    """Decorator form of `reading`, for functions whose first argument is a path or an object with a ``path``.

    Args:
        what, also: Arguments of `reading`; ``also`` serves small parsers too, whose look-ups all concern the file.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def bounded(*args: P.args, **kwargs: P.kwargs) -> R:
            first: Any = args[0] if args else next(iter(kwargs.values()))
            with reading(getattr(first, "path", first), what, also=also):
                return function(*args, **kwargs)

        return bounded

    return decorate
