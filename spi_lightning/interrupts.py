"""Signals handled like Ctrl-C, so that temporary files are removed, and reported in one line."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from . import quiet_start
from .mistakes import causes_of
from .printable import printable

_AGAIN = 0.05  # s until an interrupt that Python has dropped is raised again
_received: list[int] = []  # termination signals of this process


class SignalError(KeyboardInterrupt):
    """Termination of this process by a signal, as KeyboardInterrupt."""

    def __init__(self, number: int) -> None:
        super().__init__(f"by {signal.Signals(number).name}")
        self.number = number


@contextmanager
def signals_end_it() -> Iterator[None]:
    """Context in which SIGTERM and SIGHUP raise as Ctrl-C does; child processes are terminated directly.

    Python drops exceptions in destructors and callbacks of weak references; an interrupt there is raised again.
    """
    mine, before, hook = os.getpid(), {}, sys.unraisablehook

    def end(number: int, _: FrameType | None) -> None:
        if number != signal.SIGINT:
            signal.signal(number, signal.SIG_IGN if os.getpid() == mine else signal.SIG_DFL)
            if os.getpid() != mine:
                os.kill(os.getpid(), number)
        elif os.getpid() != mine:
            raise KeyboardInterrupt
        _received.append(number)
        raise KeyboardInterrupt if number == signal.SIGINT else SignalError(number)

    def dropped(unraisable: Any) -> None:
        if not issubclass(unraisable.exc_type, KeyboardInterrupt) or not hasattr(signal, "setitimer"):
            hook(unraisable)
        elif os.getpid() == mine and _received:
            signal.signal(signal.SIGALRM, lambda _, frame: end(_received[-1], frame))
            signal.setitimer(signal.ITIMER_REAL, _AGAIN)

    quiet_start.imported()
    _received.clear()
    usual = {"SIGINT": signal.default_int_handler, "SIGTERM": signal.SIG_DFL, "SIGHUP": signal.SIG_DFL}
    if threading.current_thread() is threading.main_thread():
        for name, handler in usual.items():
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is handler:
                before[number] = signal.signal(number, end)
        sys.unraisablehook = dropped
    try:
        yield
    finally:
        sys.unraisablehook = hook
        for number, old in before.items():
            signal.signal(number, old)


def stopped(error: BaseException) -> int | None:
    """Exit status of an interrupted process, by the convention of shells, with a printed line; None if not interrupted.

    The interrupt is searched for among the causes of the error, because libraries may convert it to another error.
    """
    interrupts = [each for each in reversed(causes_of(error)) if isinstance(each, KeyboardInterrupt)]
    if not interrupts and not _received:
        return None
    words = dict.fromkeys(str(word) for each in interrupts for word in each.args[:1])
    numbers = [each.number for each in interrupts if isinstance(each, SignalError)] or _received or [signal.SIGINT]
    if not words and numbers[0] != signal.SIGINT:
        words = {str(SignalError(numbers[0])): None}
    print(printable(": ".join(["stopped", *words])), file=sys.stderr)
    return 128 + numbers[0]
