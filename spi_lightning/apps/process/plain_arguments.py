"""Command lines of the commands without Hydra: a mistake is one line, and a file may be called -name."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from spi_lightning.printable import printable


class PlainParser(argparse.ArgumentParser):
    """An argument parser that says what is wrong in one line on stderr and exits with 2, without its usage."""

    def error(self, message: str) -> NoReturn:
        """Say it and leave."""
        print(f"error: {printable(message)}; --help lists what there is", file=sys.stderr)
        sys.exit(2)


def names_kept(words: Sequence[str]) -> list[str]:
    """Words with ``./`` before those that begin like an option and are files or folders."""
    return [f"./{word}" if word.startswith("-") and Path(word).exists() else word for word in words]
