"""Signals that end a process: unwound like Ctrl-C, so that nothing half-written stays."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from spi_lightning import quiet_start


class SignalError(KeyboardInterrupt):
    """The system, or another user of it, ends this process."""

    def __init__(self, number: int) -> None:
        super().__init__(f"by {signal.Signals(number).name}")
        self.number = number


@contextmanager
def signals_end_it() -> Iterator[None]:
    """Unwind at SIGTERM and SIGHUP as at Ctrl-C, so that nothing half-written stays; child processes just die."""
    mine, before = os.getpid(), {}

    def end(number: int, _: FrameType | None) -> None:
        signal.signal(number, signal.SIG_IGN if os.getpid() == mine else signal.SIG_DFL)
        if os.getpid() != mine:
            os.kill(os.getpid(), number)
        raise SignalError(number)

    quiet_start.imported()
    if threading.current_thread() is threading.main_thread():
        for name in ("SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is signal.SIG_DFL:
                before[number] = signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
