"""Command line of commands without a configuration."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from spi_lightning.printable import printable


class PlainParser(argparse.ArgumentParser):
    """An argument parser that refuses a command in one line on stderr with exit status 2, without its usage."""

    def error(self, message: str) -> NoReturn:
        """Print the line and leave."""
        print(f"error: {printable(message)}; --help lists what there is", file=sys.stderr)
        sys.exit(2)


def names_kept(words: Sequence[str]) -> list[str]:
    """Command words, with ``./`` before names of files or folders that begin like an option."""
    return [f"./{word}" if word.startswith("-") and Path(word).exists() else word for word in words]
