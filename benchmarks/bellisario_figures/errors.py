"""False negatives against false positives of network and triple intersection, and broken centrosymmetry.

Source: Bellisario & Ekeberg (2024), Fig. 4.

The triple intersection stands twice: tested, cut and grown as validation structures ask for; and the smallest, as the
paper has it.
"""

import argparse
from pathlib import Path

from benchmarks.bellisario_figures.chosen_setting import chosen_setting
from benchmarks.bellisario_figures.networks import network, triple
from benchmarks.bellisario_figures.patterns import answer, draw_patterns, score, show, truth_of
from benchmarks.record import write_result
from spi_lightning.evaluation.supports.scoring import BROKEN
from spi_lightning.reports.supports.figures import errors_figure


def main(options: argparse.Namespace) -> None:
    """Print the table; write it and the scatter plot."""
    patterns = draw_patterns(options.patterns)
    best = chosen_setting(triple(), draw_patterns(200, "val"))
    tables = [
        answer(network(options), patterns),
        best.answer(patterns, f"triple, {best.words}"),
        answer(triple(choice="smallest", threshold=3e-4), patterns, "triple, smallest"),
    ]
    rows = {table.name: score(table, patterns) for table in tables}
    show(f"{len(truth_of(patterns))} patterns", rows)
    broken = [row["true_centrosymmetry_broken"] for row in rows.values()]
    print(f"true supports that are not centrosymmetric (less than {BROKEN:.0%} shared): {100 * broken[0]:.1f} %")
    print(write_result("bellisario_errors", {"patterns": options.patterns, "methods": rows}))
    path = Path(options.pictures) / "bellisario_errors.png"
    errors_figure(tables).savefig(path, dpi=80)
    print(path)
