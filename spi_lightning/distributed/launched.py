"""Errors of the processes that a run launches (trainer=ddp_cpu): they leave a line, and the first process prints it."""

import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_VARIABLE = "SPI_LIGHTNING_ERRORS"  # process and file of the first one, for those that it launches
_LOST = ("Connection closed by peer", "Connection reset by peer", "Socket Timeout", "Broken pipe")


def _owner() -> tuple[int, Path] | None:
    number, _, path = os.environ.get(_VARIABLE, "").partition(":")
    return (int(number), Path(path)) if number.isdecimal() else None


def launched() -> bool:
    """Whether another process of this package has launched this one."""
    owner = _owner()
    return owner is not None and owner[0] != os.getpid()


@contextmanager
def first_process() -> Iterator[None]:
    """Have the processes that are launched from here leave their errors; nothing in one that was launched."""
    if launched():
        yield
        return
    path = Path(tempfile.gettempdir()) / f"spi_lightning_{secrets.token_hex(8)}.error"
    os.environ[_VARIABLE] = f"{os.getpid()}:{path}"
    try:
        yield
    finally:
        os.environ.pop(_VARIABLE, None)
        path.unlink(missing_ok=True)


def leave(line: str | None) -> None:
    """Write the line of a mistake, if there is one, for the first process; only the first line counts."""
    owner = _owner()
    with suppress(OSError):
        if owner is not None and line:
            with owner[1].open("x", encoding="utf-8", errors="backslashreplace") as file:
                file.write(line)


def left() -> str | None:
    """Line of a mistake that a launched process has written; None where there is none."""
    owner = _owner()
    with suppress(OSError):
        return owner[1].read_text(encoding="utf-8") if owner is not None else None
    return None


def is_lost_connection(error: BaseException) -> bool:
    """Whether an error only says that another process has ended."""
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _LOST)
