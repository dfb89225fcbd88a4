"""Commands without a configuration: their command line, and one line for a mistake, a stop or a full disk."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from spi_lightning.console import plain_output
from spi_lightning.mistakes import mistake_of, signals_end_it, stopped
from spi_lightning.printable import printable


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

    Any other error is a fault of this package and keeps its traceback.
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


def _flush_or_drop() -> None:
    """Flush stdout, or discard what it holds where that fails: Python would end in a traceback of its own."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
