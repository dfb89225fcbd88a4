"""Commands without a configuration: their command line, and one line for a mistake, a stop or a full disk."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from spi_lightning.console import plain_output
from spi_lightning.errors import UserError
from spi_lightning.files import is_write_error, write_error
from spi_lightning.printable import printable

from .signals import causes_of, signals_end_it, stopped


class PlainParser(argparse.ArgumentParser):
    """An argument parser that refuses a command in one line on stderr with exit status 2, without its usage."""

    def error(self, message: str) -> NoReturn:
        """Print the line and leave."""
        print(f"error: {printable(message)}; --help lists what there is", file=sys.stderr)
        sys.exit(2)


def names_kept(words: Sequence[str]) -> list[str]:
    """Words with ``./`` before those that begin like an option and are files or folders."""
    return [f"./{word}" if word.startswith("-") and Path(word).exists() else word for word in words]


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
