"""Numbers of several evaluations in one table: python -m spi_lightning.apps.compare RUN [RUN ...]."""

import sys
from pathlib import Path

from spi_lightning.apps.process.plain_app import PlainParser, names_kept
from spi_lightning.mistakes import run_plain
from spi_lightning.reports.runs import print_runs


def main() -> int:
    """Run the command; returns the exit status."""
    parser = PlainParser(prog="python -m spi_lightning.apps.compare", description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="run folder of evaluate.py")
    return run_plain(lambda: print_runs(parser.parse_args(names_kept(sys.argv[1:])).runs))


if __name__ == "__main__":
    sys.exit(main())
