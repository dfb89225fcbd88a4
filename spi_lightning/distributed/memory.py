"""Memory allocator of a process (glibc malloc): keep freed blocks, or return them to the system."""

import ctypes
import sys
from typing import Any

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
