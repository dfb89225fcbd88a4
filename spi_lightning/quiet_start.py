"""Imported first by every command: Ctrl-C while torch and the rest are imported, some seconds, is one line.

So is a working folder that was removed, in which torch does not load.
"""

import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType


def _end(_: int, __: FrameType | None) -> None:
    os.write(sys.stderr.fileno(), b"stopped\n")
    os._exit(128 + signal.SIGINT)


def begin() -> None:
    """Until imported() an interrupt ends the process; what the caller of the process has set, such as nohup, stays."""
    try:
        Path.cwd()
    except OSError:
        os.write(sys.stderr.fileno(), b"error: the working folder is not there any more; change to another one (cd)\n")
        os._exit(2)
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is _usual:
        signal.signal(signal.SIGINT, _end)


def imported() -> None:
    """From now on an interrupt is unwound."""
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, _usual)


_usual = signal.default_int_handler
