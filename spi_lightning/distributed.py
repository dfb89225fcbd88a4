"""Processes: shards of a sequence without padding, device, memory allocator, and the errors of launched processes.

A process that a run launches (trainer=ddp_cpu) leaves the line of its error in a file; the first process prints it.
"""

import ctypes
import os
import secrets
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import torch

from .errors import UserError

Item = TypeVar("Item")


def shard(items: Sequence[Item], rank: int, processes: int) -> Sequence[Item]:
    """Items of process ``rank``: every ``processes``-th one, so that shards differ in length by one at most.

    With batches as items, every batch is as with one process, and so are the results, bit for bit.
    """
    return items[rank::processes]


def equal_shard(items: Sequence[Item], rank: int, processes: int) -> Sequence[Item]:
    """Contiguous shard of process ``rank``, of equal length for all; the last len(items) % processes are left out."""
    length = len(items) // processes
    return items[rank * length : (rank + 1) * length]


def find_device(device: str) -> torch.device:
    """Device of a name.

    Args:
        device: ``auto`` (the GPU if there is one), or a name of torch: ``cpu``, ``cuda``, ``cuda:1``, ...

    Raises:
        UserError: The name is unknown, or this machine has no such device.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(device)
        torch.zeros(1, device=found)
    except (RuntimeError, AssertionError) as error:
        raise UserError(
            f"device={device} is not available here ({str(error).splitlines()[0]}); use auto or cpu"
        ) from error
    return found


_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # names of mallopt(3)


def keep_freed_memory(threshold: int = 1 << 30) -> bool:
    """Let this process and its forks reuse freed blocks instead of returning them to the system.

    Short-lived arrays of some megabytes, as in the simulator and in training on a CPU, otherwise cost one page fault
    per 4 KiB each time: half of the simulator's time. Memory in use stays at its peak.

    Args:
        threshold: Size below which blocks and free heap ends are kept, bytes.

    Returns:
        Whether the allocator was set; False where the C library is not glibc.
    """
    mallopt = _of_glibc("mallopt")
    return bool(mallopt and mallopt(_MMAP_THRESHOLD, threshold) and mallopt(_TRIM_THRESHOLD, threshold))


def return_freed_memory() -> bool:
    """Return the freed blocks of this process to the system, also those between blocks in use.

    Large arrays of changing size fragment the heap, by which a process that keeps freed memory grows; call it regularly
    in long loops over large arrays.

    Returns:
        Whether memory was returned; False where the C library is not glibc.
    """
    trim = _of_glibc("malloc_trim")
    return bool(trim and trim(0))


def _of_glibc(name: str) -> Any:
    """Function of glibc by name; None where the C library lacks it."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform.startswith("linux") else None


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


def shared_line(line: str | None, error: BaseException) -> str | None:
    """Line that this process prints for an error.

    Args:
        line: Line of the mistake that the error is; None where it is not a mistake.
        error: Error that ended this process.

    Returns:
        In a launched process an empty line, its own being left for the first process; in the first process the line, or
        that of a launched one. None where the error is a fault, and no other process has ended for a mistake.
    """
    if not launched():
        return line or left() or None
    if line is None and not (isinstance(error, RuntimeError) and any(words in str(error) for words in _LOST)):
        return None
    leave(line)
    return ""
