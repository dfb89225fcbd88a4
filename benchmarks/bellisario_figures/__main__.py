"""Each figure prints a table, writes its numbers to benchmarks/results/ and draws a plot.

python -m benchmarks.bellisario_figures NAME [--run RUN] [--measured RUN] [--healing RUN] ...

NAME: one of those below. Curves go to docs/images, pictures of patterns to the folder of runs. Runs that are not named
are trained first: experiment=bellisario_support, bellisario_measured and bellisario_healing.
"""

import argparse
import importlib
import logging
from pathlib import Path

import torch

from benchmarks.doors import ROOT
from benchmarks.trusted import add_trust

FIGURES = ("ablation", "gamma", "gallery", "errors", "healing", "noise", "missing_centre", "prtf")


def main() -> None:
    """Read the command line and draw one figure."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.bellisario_figures",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", choices=FIGURES)
    parser.add_argument("--run", type=Path, help="run of experiment=bellisario_support")
    parser.add_argument("--measured", type=Path, help="run of experiment=bellisario_measured")
    parser.add_argument("--healing", type=Path, help="run of experiment=bellisario_healing")
    parser.add_argument("--patterns", type=int, default=400)
    parser.add_argument("--density", type=Path, help="gallery: run of experiment=bellisario_density")
    parser.add_argument("--structures", type=int, default=6, help="prtf")
    parser.add_argument("--minutes", type=float, default=60.0, help="ablation: begin no training after these")
    parser.add_argument("--steps", type=int, default=300, help="ablation, gamma: of 32 patterns")
    parser.add_argument("--runs", default=str(ROOT / "runs" / "bellisario"), help="folder of runs and galleries")
    parser.add_argument("--pictures", default=str(ROOT / "docs" / "images"))
    parser.add_argument("--cache", default=str(ROOT / "cache"), help="folder of simulated sets")
    add_trust(parser)
    options = parser.parse_args()
    torch.set_num_threads(1)
    logging.getLogger("spi_lightning").setLevel(logging.ERROR)  # structures left out for their size, told elsewhere
    importlib.import_module(f"benchmarks.bellisario_figures.{options.name}").main(options)


if __name__ == "__main__":
    main()
