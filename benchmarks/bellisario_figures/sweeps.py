"""Network and triple intersection on patterns that get worse, each set anew for every condition.

The intersection is the guaranteed one; the tested one, twice as slow, has given the same for proteins.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axis import Axis
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from benchmarks.bellisario_figures.chosen_setting import chosen_setting
from benchmarks.bellisario_figures.networks import measured_network, network, triple
from benchmarks.bellisario_figures.patterns import answer, draw_patterns, score, show
from benchmarks.record import write_result
from spi_lightning.methods import SupportMethod
from spi_lightning.reports.style import METHOD_COLOURS, figure

Rows = dict[str, dict[str, float]]
OWN, UNFILLED = ", its own level", "trained on ideal, holes left as zeros"
COLOUR_OF = {f"network trained on measured{OWN}": 0, UNFILLED: 1}  # dashed, beside the lines they belong to
SHARE, LOOSE = "below_two_false_negatives", "false_positives"


def sweep(
    options: argparse.Namespace,
    name: str,
    label: str,
    values: Sequence[float],
    of: Callable[[float], dict[str, Any]],
    holes: bool = False,
) -> None:
    """Print one table for each condition, write all, draw two curves for each method.

    Args:
        options: Of the command line.
        name: Of the figure.
        label: Of the axis.
        values: Of the condition.
        of: A value to settings of draw_patterns.
        holes: Show the network also without filled holes.
    """
    methods = [measured_network(options), network(options, "network trained on ideal"), triple(choice="guaranteed")]
    if holes:
        methods.append(network(options, UNFILLED, fill=False))
    table: dict[float, Rows] = {}
    for value in values:
        conditions = of(value)
        patterns = draw_patterns(options.patterns, **conditions)
        table[value] = rows_of(methods, patterns, draw_patterns(100, "val", **conditions), conditions)
        show(f"{label}: {value:g}", table[value])
    result = {"patterns": options.patterns, "conditions": {f"{value:g}": rows for value, rows in table.items()}}
    print(write_result(f"bellisario_{name}", result))
    draw(table, label, Path(options.pictures) / f"bellisario_{name}.png")


def rows_of(methods: Sequence[SupportMethod], patterns: Any, others: Any, conditions: dict[str, Any]) -> Rows:
    """Numbers of each method set on other structures, and of the first network as its own validation set it."""
    rows = {}
    for method in methods:
        best = chosen_setting(method, others, counted="photons_per_speckle" in conditions)
        print(f"  {method.name}: {best.words}", flush=True)
        rows[method.name] = score(best.answer(patterns), patterns)
    rows[f"{methods[0].name}{OWN}"] = score(answer(methods[0], patterns), patterns)
    return rows


def plain_ticks(axis: Axis) -> None:
    """1, 2, 5 of every decade as plain numbers on a logarithmic axis."""
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def draw(table: dict[float, Rows], label: str, path: Path) -> None:
    """Share of patterns with fewer than two false negatives, and mean false positives, against the condition."""
    values = list(table)
    with figure(8.4, 3.6) as picture:
        panels = picture.subplots(1, 2)
        for number, name in enumerate(table[values[0]]):
            displayed = COLOUR_OF.get(name, number)
            style: dict[str, Any] = {"color": METHOD_COLOURS[displayed], "markersize": 4, "marker": "o", "label": name}
            style |= {"linestyle": "--" if name in COLOUR_OF else "-"}
            for panel, key, times in zip(panels, (SHARE, LOOSE), (100, 1), strict=True):
                panel.plot(values, [times * table[value][name][key] for value in values], **style)
        panels[0].set(ylabel="patterns with < 2 false negatives (%)", ylim=(-3, 103))
        panels[1].set(ylabel="mean false positives (pixels)", yscale="log")
        plain_ticks(panels[1].yaxis)
        for panel in panels:
            panel.set_xlabel(label)
            if min(values) > 0:
                panel.set_xscale("log")
        picture.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=2, fontsize=8)
        picture.savefig(path, dpi=80)
    print(path)
