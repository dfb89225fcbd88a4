"""Training runs, sweeps and evaluations in one table: python -m spi_lightning.apps.compare RUN [RUN ...] [out=FOLDER].

RUN is a run folder, a sweep or a folder of them; a glob may match other files and aborted runs, too.
"""

import sys
from pathlib import Path

from spi_lightning.apps.process.plain_app import PlainParser, names_kept
from spi_lightning.console import Terminal
from spi_lightning.mistakes import run_plain
from spi_lightning.reports.runs import compare_runs, print_comparison, write_outputs


def compare(runs: list[Path], outputs: list[Path], objective: str | None) -> None:
    """Print the table of the runs; write it, and its page, where they are wanted."""
    comparison = compare_runs(runs, objective)
    print_comparison(comparison)
    for path in write_outputs(comparison, outputs):
        Terminal().print(f"written: {path}", soft_wrap=True)


def options(words: list[str]) -> list[str]:
    """Command line in which ``out=x`` and ``objective=x`` are the options ``--out=x`` and ``--objective=x``."""
    short = ("out=", "objective=")
    return [f"--{word}" if word.startswith(short) and not Path(word).exists() else word for word in names_kept(words)]


def main() -> int:
    """Run the command; returns the exit status."""
    parser = PlainParser(prog="python -m spi_lightning.apps.compare", description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="run folder, sweep, or folder of them")
    parser.add_argument(
        *("--out",), action="append", default=[], type=Path, help="NAME.csv, NAME.html, or a folder for both"
    )
    parser.add_argument("--objective", help="number that orders the runs, such as val/auroc")

    def command() -> None:
        words = parser.parse_args(options(sys.argv[1:]))
        compare(words.runs, words.out, words.objective)

    return run_plain(command)


if __name__ == "__main__":
    sys.exit(main())
