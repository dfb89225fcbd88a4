"""Healing, then the network; healing, then the triple intersection (Bellisario & Ekeberg 2024, Sect. 5).

Measured patterns with photons, background, a missing centre and a gap, as experiment=bellisario_healing was trained on.
Every method is set on 200 such patterns of validation structures; also shown is what each does without healing.
"""

import argparse
from pathlib import Path
from typing import Any

from benchmarks.bellisario_figures.chosen_setting import chosen_setting
from benchmarks.bellisario_figures.networks import healed, measured_network, network, triple
from benchmarks.bellisario_figures.patterns import draw_patterns, score, show
from benchmarks.record import write_result
from spi_lightning.reports.supports.figures import errors_figure

CONDITIONS: dict[str, dict[str, Any]] = {
    "10,000 photons": {"photons_per_speckle": (1e4, 1e4)},
    "10,000 photons, centre of radius 3 px missing": {"photons_per_speckle": (1e4, 1e4), "beamstop": (3.0, 3.0)},
    "10 to 10,000 photons, background, centre, gap": {
        "photons_per_speckle": (10.0, 1e4),
        "background": (0.0, 0.05),
        "beamstop": (0.0, 3.0),
        "gap": (0.0, 2.0),
    },
}


def main(options: argparse.Namespace) -> None:
    """One table for each condition; the scatter plot of the last."""
    after = triple(noise=0.0, photons=False, connected=True)
    methods = [
        healed(options, network(options), "healing, then network"),
        healed(options, after, "healing, then triple intersection"),
        network(options, "network alone"),
        triple("triple intersection alone"),
        measured_network(options, "network trained on measured"),
    ]
    result = {}
    for name, condition in CONDITIONS.items():
        patterns, others = draw_patterns(options.patterns, **condition), draw_patterns(200, "val", **condition)
        tables = []
        for number, method in enumerate(methods):
            best = chosen_setting(method, others, counted=number == 3)
            tables.append(best.answer(patterns))
        result[name] = {table.name: score(table, patterns) for table in tables}
        show(name, result[name])
    print(write_result("bellisario_healing", {"patterns": options.patterns, "conditions": result}))
    path = Path(options.pictures) / "bellisario_healing.png"
    errors_figure(tables[:4]).savefig(path, dpi=80)
    print(path)
