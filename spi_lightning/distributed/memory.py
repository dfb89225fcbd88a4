"""How a process keeps its memory."""

import ctypes
import sys
from typing import Any

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # names of mallopt(3)


def keep_freed_memory(threshold: int = 1 << 30) -> bool:
    """Let this process, and those it forks, reuse freed blocks instead of handing each back to the system.

    Arrays of some megabytes that come and go, as in the simulator and in training on a CPU, otherwise cost a page
    fault every 4 KiB each time: half of the simulator's time. Memory in use stays at its peak.

    Args:
        threshold: Blocks and free heap ends below it are kept; bytes.

    Returns:
        False where the C library has no such switch (anything but glibc), and nothing is changed.
    """
    mallopt = _of_glibc("mallopt")
    return bool(mallopt and mallopt(_MMAP_THRESHOLD, threshold) and mallopt(_TRIM_THRESHOLD, threshold))


def return_freed_memory() -> bool:
    """Hand the freed blocks of this process back to the system, those between blocks in use too.

    Large arrays of changing size leave holes that others do not fit into, and a process that keeps freed memory grows
    by them; to be called now and then in long loops over large arrays.

    Returns:
        Whether something was handed back; False where the C library has no such call.
    """
    trim = _of_glibc("malloc_trim")
    return bool(trim and trim(0))


def _of_glibc(name: str) -> Any:
    """A function of the C library; None where it has none of that name."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform.startswith("linux") else None
