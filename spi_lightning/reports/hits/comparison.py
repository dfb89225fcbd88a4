"""Comparison of methods on the same frames: agreement, groups of taken frames, and paired tests."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from spi_lightning.reports.heat_map import agreement_figure
from spi_lightning.reports.page import Lines, Picture, Table
from spi_lightning.reports.style import SINGLE, UNKNOWN, as_picture, figure

MOST_GROUPS = 16


def comparison_blocks(comparison: Mapping[str, Any]) -> Iterator[Picture | Table | Lines]:
    """Figures and tables of ``comparison`` in metrics.json."""
    names: list[str] = comparison["methods"]
    words = f"{comparison['common']} frames are taken by every method (the common set)" + (
        f": {', '.join(comparison['common_files'])}." if comparison.get("common_files") else "."
    )
    yield Lines([words])
    picture = agreement_figure(names, {"": comparison["agreement"]}, "share of frames decided alike")
    yield Picture(as_picture(picture), "Agreement", "Share of all frames on which two methods decide alike.")
    if comparison["groups"]:
        limit = "" if len(comparison["groups"]) <= MOST_GROUPS else f" The {MOST_GROUPS} largest groups."
        words = f"Each bar counts the frames taken as single hits by exactly the methods with a dot below it.{limit}"
        yield Picture(
            as_picture(groups_figure(names, comparison["groups"])),
            "Frames taken by each group of methods",
            words,
            wide=True,
        )
    if comparison["mcnemar"]:
        yield mcnemar_table(comparison["mcnemar"])


def groups_figure(names: Sequence[str], groups: Sequence[Mapping[str, Any]]) -> Figure:
    """Bars of the frames taken by exactly a group of methods, marked by dots below, with the totals of the methods.

    Args:
        names: Names of M methods.
        groups: ``methods`` (indices), ``frames`` (count), and, where labelled, ``single_hits``; largest first.
    """
    drawn, size = groups[:MOST_GROUPS], len(names)
    with figure(10.8, 2.6 + 0.3 * size) as picture:
        widths, heights = (2.0, 6.0), (2.2, 0.3 * size)
        grid = picture.add_gridspec(2, 2, width_ratios=widths, height_ratios=heights)
        bars = picture.add_subplot(grid[0, 1])
        dots = picture.add_subplot(grid[1, 1], sharex=bars)
        totals = picture.add_subplot(grid[1, 0])
        _draw_bars(bars, drawn)
        _draw_dots(dots, drawn, size)
        taken = [sum(group["frames"] for group in groups if method in group["methods"]) for method in range(size)]
        totals.barh(range(size), taken, color=UNKNOWN, height=0.6)
        totals.set(xlabel="frames taken", ylim=(size - 0.5, -0.5), yticks=range(size), yticklabels=names)
        totals.xaxis.set_major_locator(MaxNLocator(3, integer=True))
        totals.invert_xaxis()
        totals.yaxis.tick_right()
        totals.tick_params(axis="y", length=0)
        totals.grid(False)
    return picture


def _draw_bars(axes: Axes, groups: Sequence[Mapping[str, Any]]) -> None:
    heights = [group["frames"] for group in groups]
    position = range(len(groups))
    labelled = all(group.get("single_hits") is not None for group in groups)
    axes.bar(position, heights, color=UNKNOWN, width=0.6, label="all frames of the group")
    if labelled:
        axes.bar(
            position, [group["single_hits"] for group in groups], color=SINGLE, width=0.6, label="labelled single hit"
        )
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderaxespad=0.2)
    for x, height in zip(position, heights, strict=True):
        axes.text(x, height, str(height), ha="center", va="bottom", fontsize=9)
    axes.set(ylabel="frames", xlim=(-0.6, max(len(groups), 6) - 0.4), ylim=(0, 1.15 * max(heights)))
    axes.tick_params(axis="x", length=0, labelbottom=False)
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.grid(False, axis="x")


def _draw_dots(axes: Axes, groups: Sequence[Mapping[str, Any]], size: int) -> None:
    for x, group in enumerate(groups):
        axes.scatter([x] * size, range(size), s=45, color="#d9dee4", zorder=2)
        members = group["methods"]
        axes.plot([x, x], [min(members), max(members)], color=SINGLE, linewidth=1.8, zorder=3)
        axes.scatter([x] * len(members), members, s=45, color=SINGLE, zorder=4)
    axes.set(ylim=(size - 0.5, -0.5), yticks=[])
    axes.tick_params(axis="x", length=0, labelbottom=False)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    axes.grid(False)


def mcnemar_table(tests: Sequence[Mapping[str, Any]]) -> Table:
    """Table with a row for each pair of methods."""
    rows = [
        [
            test["first"],
            test["second"],
            str(test["only_first"]),
            str(test["only_second"]),
            f"{test['p_value']:.3g}",
            f"{min(1.0, test['p_value'] * len(tests)):.3g}",
        ]
        for test in tests
    ]
    head = [
        "first method",
        "second method",
        "only the first\nis right",
        "only the second\nis right",
        "p",
        "p, all pairs\n(Bonferroni)",
    ]
    return Table(head, rows, "Exact two-sided McNemar test on the labelled frames that no method learnt from.")
