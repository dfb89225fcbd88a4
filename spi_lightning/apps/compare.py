"""Numbers of several evaluations in one table: python -m spi_lightning.apps.compare RUN [RUN ...]."""

import sys
from pathlib import Path

from spi_lightning.apps.process.plain_app import PlainParser, names_kept, run_plain
from spi_lightning.console import Terminal
from spi_lightning.reports.runs import runs_table


def compare(runs: list[Path]) -> None:
    """Print the table and where the reports of the runs are; UserError where a folder holds no evaluation."""
    console = Terminal()
    console.print(runs_table(runs))
    for report in (run / "report.html" for run in runs):
        if report.is_file():
            console.print(f"report: {report}", soft_wrap=True)


def main() -> int:
    """Run the command; returns the exit status."""
    parser = PlainParser(prog="python -m spi_lightning.apps.compare", description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="run folder of evaluate.py")
    return run_plain(lambda: compare(parser.parse_args(names_kept(sys.argv[1:])).runs))


if __name__ == "__main__":
    sys.exit(main())
