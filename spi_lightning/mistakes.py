"""Mistakes and interrupts that end a command, each reported in one line; signals are handled like Ctrl-C."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from . import quiet_start
from .console import plain_output
from .errors import UserError
from .files import is_write_error, write_error
from .printable import printable


def causes_of(error: BaseException) -> list[BaseException]:
    """An error and its causes, outermost first."""
    causes: list[BaseException] = []
    following: BaseException | None = error
    while following is not None and following not in causes:
        causes.append(following)
        following = following.__cause__ or following.__context__
    return causes


def mistake_of(error: BaseException, is_output: Callable[[object], bool] = lambda name: False) -> str | None:
    """A user's mistake, or an output that cannot be written, in one line; None for other errors.

    Args:
        error: Error that was raised, with its causes.
        is_output: Whether a file of this name is an output of the process; errors that can only come from writing are
            recognised without it.
    """
    causes = causes_of(error)
    for cause in causes:
        if isinstance(cause, UserError):
            return str(cause)
    for cause in causes:
        if isinstance(cause, OSError) and (is_write_error(cause) or is_output(cause.filename)):
            return str(write_error(cause.filename or "output", cause))
    return None


_AGAIN = 0.05  # s until an interrupt that Python has dropped is raised again
_received: list[int] = []  # termination signals of this process


class SignalError(KeyboardInterrupt):
    """Termination of this process by a signal, as KeyboardInterrupt."""

    def __init__(self, number: int) -> None:
        super().__init__(f"by {signal.Signals(number).name}")
        self.number = number


@contextmanager
def stopped_with(remedy: Callable[[], str]) -> Iterator[None]:
    """Context in which an interrupt, Ctrl-C or a signal, takes the words on how to go on that its line shall have.

    Args:
        remedy: Function that gives the words, called at the interrupt; an inner context's words are kept.
    """
    try:
        yield
    except (KeyboardInterrupt, SystemExit) as error:  # Lightning leaves by the latter
        interrupts = [each for each in causes_of(error) if isinstance(each, KeyboardInterrupt)]
        if not interrupts or any(each.args for each in interrupts if not isinstance(each, SignalError)):
            raise
        raise KeyboardInterrupt(remedy()) from error


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


def run_plain(command: Callable[[], object], line_of: Callable[[BaseException], str | None] = mistake_of) -> int:
    """Run a command; its exit status: 0, 2 after one line of a mistake, 130, 143 or 129 where it was stopped.

    Any other error is a fault of this package and keeps its traceback.

    Args:
        command: Function that does the work.
        line_of: Function from an error to the line of a mistake; None for a fault, empty where nothing is printed.
    """
    plain_output()
    with signals_end_it():
        try:
            command()
            sys.stdout.flush()
        except (Exception, KeyboardInterrupt, SystemExit) as error:
            if (status := stopped(error)) is not None:
                return status
            line = None if isinstance(error, SystemExit) else line_of(error)
            if line is None:
                raise
            if line:
                print(f"error: {printable(line)}", file=sys.stderr)
            _flush_or_drop()
            return 2
    return 0


def _flush_or_drop() -> None:
    """Flush stdout, or discard what it holds where that fails: Python would end in a traceback of its own."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
