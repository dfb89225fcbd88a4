"""How the commands that read no configuration meet their user: one line of a mistake, of a stop, of a full disk."""

import os
import sys
from collections.abc import Callable

from spi_lightning.console import plain_output
from spi_lightning.errors import UserError
from spi_lightning.files import is_write_error, write_error
from spi_lightning.printable import printable

from .signals import causes_of, signals_end_it, stopped


def run_plain(command: Callable[[], None]) -> int:
    """Run a command; its exit status: 0, 2 after one line of a mistake, 130, 143 or 129 where it was stopped.

    Anything else is a fault of ours and keeps its traceback.
    """
    plain_output()
    with signals_end_it():
        try:
            command()
            sys.stdout.flush()
        except (Exception, KeyboardInterrupt) as error:
            if (status := stopped(error)) is not None:
                return status
            line = mistake_of(error)
            if line is None:
                raise
            print(f"error: {printable(line)}", file=sys.stderr)
            _flush_or_drop()
            return 2
    return 0


def mistake_of(error: BaseException, is_output: Callable[[object], bool] = lambda name: False) -> str | None:
    """A user's mistake, or an output that cannot be written, in one line; None for other errors.

    Args:
        error: With its causes.
        is_output: Whether a file by its name is one that the command writes, beside those of which the error says so.
    """
    causes = causes_of(error)
    for cause in causes:
        if isinstance(cause, UserError):
            return str(cause)
    for cause in causes:
        if isinstance(cause, OSError) and (is_write_error(cause) or is_output(cause.filename)):
            return str(write_error(cause.filename or "output", cause))
    return None


def _flush_or_drop() -> None:
    """What cannot be printed goes nowhere, or Python would end in a traceback of its own."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
