"""How a process keeps its memory."""

import ctypes
import sys

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
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return bool(mallopt and mallopt(_MMAP_THRESHOLD, threshold) and mallopt(_TRIM_THRESHOLD, threshold))
