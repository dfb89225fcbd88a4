"""The word of a benchmark's user that trusts other packages: --trust PACKAGE ..., see tasks.registry."""

import argparse
from collections.abc import Sequence
from typing import Any

from spi_lightning.tasks.registry import trust


class _Trust(argparse.Action):
    def __call__(
        self, parser: argparse.ArgumentParser, options: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        packages: Sequence[str] = values
        trust(packages)
        setattr(options, self.dest, packages)


def add_trust(parser: argparse.ArgumentParser) -> None:
    """Add --trust to a benchmark that opens checkpoints; it holds from the moment it is read."""
    parser.add_argument(
        "--trust",
        nargs="+",
        default=[],
        action=_Trust,
        metavar="PACKAGE",
        help="packages besides spi_lightning whose classes a checkpoint may name, and so run",
    )
