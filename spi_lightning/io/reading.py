"""Reading of files: damage as one UserError, unsupported formats by name, the record of files read, and JSON.

Every reader opens its files by open_patterns, open_hdf5 or read_side_file, which record them here, so that a new format
needs no code for it; hdf5.storage.storage_of records the targets of links.
"""

import functools
import json
import lzma
import os
import struct
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar

from spi_lightning.errors import UserError
from spi_lightning.notes import Note

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


TIFF_MAGIC: Final = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_HEAD: Final = 512
_BEGINNINGS: Final = (
    (b"###CBF", "a CBF image"),
    (b"SIMPLE  =", "a FITS image"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"BM", "a BMP image"),
    (b"%PDF", "a PDF document"),
    (b"CDF\x01", "a netCDF 3 file"),
    (b"CDF\x02", "a netCDF 3 file"),
    (b"MATLAB 5.0", "a MATLAB file"),
    (b"PK\x03\x04", "a zip archive, as .npz files are"),
    (b"\x1f\x8b", "compressed by gzip"),
    (b"BZh", "compressed by bzip2"),
    (b"\xfd7zXZ", "compressed by xz"),
)


def format_name(path: Path) -> str:
    """Format of a file by its magic bytes, in words with an article; empty if unknown."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if head.lstrip().startswith(b"{"):
        words = head.lower()
        if b"header_bytes" in words:
            return "an SMV (ADSC) image"
        if any(word in words for word in (b"headerid", b"dim_1", b"byteorder", b"edf_")):
            return "an EDF image"
    return next((what for start, what in _BEGINNINGS if head.startswith(start)), "")


def unsupported_format(path: Path, formats: str) -> UserError:
    """UserError of a file in an unsupported format.

    Args:
        path: Path of the file, for the message.
        formats: Names of the supported formats as one text.
    """
    what = format_name(path)
    if what:
        return UserError(f"{path}: is {what}, which is not supported; convert it (e.g. by fabio) to one of: {formats}")
    return UserError(f"{path}: unknown format; supported are {formats}")


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


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        UserError: The file is missing, damaged, or does not hold a JSON object.
    """
    require_file(path, "give the folder of a finished run")
    with reading(path, "JSON", also=(RecursionError,)):
        content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise UserError(f"{path}: holds {type(content).__name__} instead of a JSON object; copy it again")
    return content


def read_metrics(path: Path) -> dict[str, Any]:
    """Read metrics.json of a run: numbers by name, and of evaluations by method and name under ``methods``.

    Raises:
        UserError: As read_json, or the methods are not objects.
    """
    metrics = read_json(path)
    methods = metrics.get("methods", {})
    if not (isinstance(methods, dict) and all(isinstance(numbers, dict) for numbers in methods.values())):
        raise UserError(f"{path}: its methods are not objects with numbers; copy it again or repeat the evaluation")
    return metrics
