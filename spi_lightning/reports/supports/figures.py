"""Figures of supports: trade-off curves, errors of each pattern, histograms, and agreement of methods."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator
from numpy.typing import NDArray

from spi_lightning.fields import FALSE_NEGATIVES, FALSE_POSITIVES
from spi_lightning.reports.style import INK, METHOD_COLOURS, UNKNOWN, figure
from spi_lightning.results.supports import MethodResult

_MARKERS = "os^Dvp*X"


def colour_of(number: int) -> str:
    """Colour of the method of this index."""
    return METHOD_COLOURS[number % len(METHOD_COLOURS)]


def trade_off_figure(
    curves: Mapping[str, Sequence[Mapping[str, Any]]], goal: tuple[float, float] | None = None
) -> Figure:
    """Share of patterns with fewer than two false negatives against mean false positives, a line for each method.

    Args:
        curves: Points of each method by its name, ``trade_off`` of metrics.json.
        goal: Mean false positives (pixel) and share of patterns (%) of a goal that is drawn as a dotted line.
    """
    with figure(8.6, 5.2) as picture:
        axes = picture.subplots()
        if goal is not None:
            x, y = goal
            axes.plot([0, x, x], [y, y, 100], color=UNKNOWN, linestyle=":", linewidth=1.3)
            axes.annotate(
                f"goal: ≥ {y} % at ≤ {x} px", (0, y), (6, -13), textcoords="offset points", fontsize=9, color=INK
            )
        for number, (name, points) in enumerate(curves.items()):
            for pixels, line, face in ((0, "-", colour_of(number)), (1, "--", "white")):
                x_of, y_of = _line(points, pixels)
                style: dict[str, Any] = {"color": colour_of(number), "linestyle": line, "linewidth": 1.5}
                axes.plot(x_of, y_of, marker="o", markersize=3.5, markerfacecolor=face, **style)
            own = [point for point in points if point["setting"] is None]
            x, y = own[0][FALSE_POSITIVES], 100 * own[0]["below_two_false_negatives"]
            marker = _MARKERS[number % len(_MARKERS)]
            axes.plot(
                x, y, marker, color=colour_of(number), markersize=11, markeredgecolor="black", label=name, zorder=5
            )
        axes.plot([], [], "-", color=INK, label="other thresholds")
        axes.plot([], [], "--", color=INK, label="dilated by a pixel")
        axes.set_xscale("symlog", linthresh=10)
        _plain_ticks(axes, "x", (0, 5, 10, 20, 50, 100, 200, 500, 1000, 3000, 10000))
        axes.set(xlabel="mean false positives (pixels)", ylabel="patterns with < 2 false negatives (%)", ylim=(-3, 107))
        axes.set_xlim(left=0)
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return picture


def _line(points: Sequence[Mapping[str, Any]], dilation: int) -> tuple[list[float], list[float]]:
    line = [point for point in points if point["dilation"] == dilation and point["setting"] is not None]
    line.sort(key=lambda point: point["setting"])
    return [point[FALSE_POSITIVES] for point in line], [100 * point["below_two_false_negatives"] for point in line]


def errors_figure(methods: Sequence[MethodResult]) -> Figure:
    """False positives and false negatives of each pattern, with histograms at the sides.

    Marks stand up to a third of a pixel beside their whole numbers, each method on its own side.
    Source: Bellisario & Ekeberg (2024), Fig. 4.
    """
    size = float(np.clip(3000 / max(1, len(methods[0].support)), 4, 30))
    with figure(8.6, 5.6) as picture:
        grid = picture.add_gridspec(2, 2, width_ratios=(4, 1), height_ratios=(1, 4))
        axes = picture.add_subplot(grid[1, 0])
        top, side = picture.add_subplot(grid[0, 0], sharex=axes), picture.add_subplot(grid[1, 1], sharey=axes)
        positives = [method.columns[FALSE_POSITIVES] for method in methods]
        negatives = [method.columns[FALSE_NEGATIVES] for method in methods]
        x_bins, y_bins = (_symlog_bins(values, least) for values, least in ((positives, 10.0), (negatives, 2.0)))
        for number, method in enumerate(methods):
            colour = colour_of(number)
            marker = _MARKERS[number % len(_MARKERS)]
            scatter: dict[str, Any] = {"s": size, "alpha": 0.55, "linewidths": 0, "marker": marker}
            x, y = _beside(positives[number], number, len(methods)), _beside(negatives[number], number, len(methods))
            axes.scatter(x, y, color=colour, label=method.name, **scatter)
            top.hist(positives[number], bins=x_bins, histtype="step", color=colour, linewidth=1.4)
            histogram: dict[str, Any] = {"orientation": "horizontal", "histtype": "step", "linewidth": 1.4}
            side.hist(negatives[number], bins=y_bins, color=colour, **histogram)
        axes.axhline(1.5, color=UNKNOWN, linestyle=":", linewidth=1.2)
        axes.set_xscale("symlog", linthresh=10)
        axes.set_yscale("symlog", linthresh=2)
        _plain_ticks(axes, "x", (0, 5, 10, 20, 50, 100, 200, 500, 1000, 3000, 10000))
        _plain_ticks(axes, "y", (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000))
        axes.set(xlabel="false positives (pixels)", ylabel="false negatives (pixels)")
        axes.set_xlim(left=-0.6)
        axes.set_ylim(bottom=-0.45)
        top.set_ylabel("patterns")
        side.set_xlabel("patterns")
        top.tick_params(labelbottom=False)
        side.tick_params(labelleft=False)
        picture.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=3, markerscale=1.6)
    return picture


def _beside(values: NDArray[Any], number: int, count: int) -> NDArray[np.float64]:
    """Whole numbers (n,) spread within half a pixel, each method in a lane of its own, so that none hides another."""
    lane = (number + np.random.default_rng(number).random(len(values))) / count - 0.5  # -0.5 to 0.5
    spread: NDArray[np.float64] = values + 0.7 * lane * np.maximum(1.0, 0.08 * values)  # as wide on the log part
    return spread


def _symlog_bins(values: Sequence[NDArray[Any]], linear: float) -> list[float]:
    """Edges of bins: even up to ``linear``, even in the logarithm above."""
    highest = max(float(each.max(initial=0)) for each in values) + 1
    low = np.linspace(-0.5, linear - 0.5, 6)
    high = np.geomspace(linear, max(highest, 2 * linear), 25)[1:]
    return [*low.tolist(), *high.tolist()]


def histogram_figure(
    methods: Sequence[MethodResult], column: str, label: str, truth: NDArray[Any] | None = None
) -> Figure:
    """Histogram of one number of the supports, a step line for each method, the truth in grey.

    Args:
        methods: Results of the methods.
        column: Name of the number, a key of MethodResult.columns.
        label: Label of the horizontal axis, with a unit.
        truth: (N,) the same number of the true supports; None: not drawn.
    """
    drawn = [np.asarray(method.columns[column], dtype=np.float64) for method in methods]
    everything = np.concatenate([*drawn, *([truth] if truth is not None else [])])
    low, high = float(everything.min(initial=0.0)), float(everything.max(initial=1.0))
    bins = np.linspace(low if low < high else low - 0.5, high + 1e-6, 31).tolist()
    with figure() as picture:
        axes = picture.subplots()
        if truth is not None:
            axes.hist(truth, bins=bins, color="#d3d8de", label="true supports")
        for number, (method, values) in enumerate(zip(methods, drawn, strict=True)):
            axes.hist(values, bins=bins, histtype="step", color=colour_of(number), linewidth=1.6, label=method.name)
        axes.set(xlabel=label, ylabel="patterns")
        columns = 2 if max(len(method.name) for method in methods) <= 22 else 1
        picture.legend(*axes.get_legend_handles_labels(), loc="outside upper left", ncols=columns, columnspacing=1.2)
    return picture


def _plain_ticks(axes: Axes, which: str, ticks: Sequence[float]) -> None:
    """Ticks as whole numbers instead of powers of ten."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(FixedLocator(list(ticks)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())
