"""Interrupt handling during the imports of a command: Ctrl-C ends it with one line instead of a traceback.

Importing torch takes some seconds, and fails in a working folder that was removed; that is one line too.
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
    """Let an interrupt end the process until imported() is called; handlers set by the caller (nohup) stay."""
    try:
        Path.cwd()
    except OSError:
        os.write(sys.stderr.fileno(), b"error: the working folder no longer exists; change to another one (cd)\n")
        os._exit(2)
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is _usual:
        signal.signal(signal.SIGINT, _end)


def imported() -> None:
    """Restore KeyboardInterrupt as the effect of an interrupt."""
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, _usual)


_usual = signal.default_int_handler
