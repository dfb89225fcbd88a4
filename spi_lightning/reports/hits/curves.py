"""Figures of a two-class decision: ROC, precision and recall, reliability, confusion, probabilities."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from spi_lightning.metrics.hits.bootstrap import wilson
from spi_lightning.metrics.hits.classification_curves import (
    ThresholdRanking,
    area_under_roc,
    average_precision,
    confusion,
    reliability,
)
from spi_lightning.reports.style import METHOD_COLOURS, OTHER, SINGLE, UNKNOWN, figure
from spi_lightning.results.hits import DecidedAnswer

PROBABILITY_AXIS = "probability of a single hit"
Labels = NDArray[np.int64]
Bands = Mapping[str, NDArray[np.float64]]


def roc_figure(answers: Sequence[DecidedAnswer], label: Labels, bands: Bands) -> Figure:
    """ROC curve of every method and the area under it; the last one's bands are shaded and its threshold marked."""
    with figure() as picture:
        axes = picture.subplots()
        axes.plot([0, 1], [0, 1], ":", color=UNKNOWN, linewidth=1, label="chance: 0.50")
        for answer, colour, line in zip(answers, method_colours(answers), method_lines(answers), strict=True):
            curves = ThresholdRanking(answer.ranking, label).curves(np.ones((1, len(label))))
            x, y = curves.false_positive_rate[0], curves.recall[0]
            axes.plot(x, y, color=colour, **line, label=f"{answer.name}: {area_under_roc(curves)[0]:.3f}")
        axes.fill_between(bands["grid"], *bands["roc"], color=colour, alpha=0.15, linewidth=0)
        taken, single = answers[-1].decision == 1, label == 1
        axes.plot(
            taken[~single].mean(), taken[single].mean(), "o", color=colour, label=f"{answers[-1].name} at the threshold"
        )
        _square(axes, "false-positive rate (others taken)", "recall (single hits taken)")
    return picture


def precision_recall_figure(answers: Sequence[DecidedAnswer], label: Labels, bands: Bands) -> Figure:
    """Precision against recall of every method and their average precision; the last one's bands are shaded."""
    with figure() as picture:
        axes = picture.subplots()
        share = (label == 1).mean()
        axes.axhline(share, linestyle=":", color=UNKNOWN, linewidth=1, label=f"chance: {share:.2f}")
        for answer, colour, line in zip(answers, method_colours(answers), method_lines(answers), strict=True):
            curves = ThresholdRanking(answer.ranking, label).curves(np.ones((1, len(label))))
            recall, first = np.unique(curves.recall[0], return_index=True)  # where each recall is reached
            precision = curves.precision[0][first]
            precision[0] = precision[1]
            name = f"{answer.name}: {average_precision(curves)[0]:.3f}"
            axes.step(recall, precision, where="pre", color=colour, **line, label=name)
        axes.fill_between(
            bands["grid"], *bands["precision_recall"], color=method_colours(answers)[-1], alpha=0.15, linewidth=0
        )
        _square(axes, "recall (single hits taken)", "precision (single hits among those taken)")
    return picture


def reliability_figure(answer: DecidedAnswer, label: Labels) -> Figure:
    """Fraction of single hits against the predicted probability, with the number of frames of each point."""
    bins = reliability(answer.probability.astype(np.float64), label, bins=10)
    full = bins.frames > 0
    with figure() as picture:
        axes, counts = picture.subplots(2, 1, height_ratios=[3, 1], sharex=True)
        axes.plot([0, 1], [0, 1], "--", color=UNKNOWN, linewidth=1, label="perfectly calibrated")
        low, high = wilson(bins.fraction[full], bins.frames[full])
        errors = np.clip([bins.fraction[full] - low, high - bins.fraction[full]], 0, None)
        axes.errorbar(
            bins.probability[full],
            bins.fraction[full],
            errors,
            fmt="o-",
            color=SINGLE,
            capsize=2.5,
            linewidth=1.4,
            elinewidth=1,
            label="frames in bins of 0.1, 95 % interval",
        )
        axes.set(ylabel="fraction of single hits", ylim=(-0.03, 1.03))
        _legend_above(axes)
        counts.yaxis.set_major_locator(MaxNLocator(3, integer=True))
        counts.bar(bins.edges[:-1] + 0.05, bins.frames, width=0.092, color=UNKNOWN)
        counts.set(xlabel=PROBABILITY_AXIS, ylabel="frames", xlim=(-0.02, 1.02))
    return picture


def confusion_figure(answer: DecidedAnswer, label: Labels) -> Figure:
    """Frames by label and decision, coloured by the share of their label."""
    counts = confusion(answer.decision, label)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    with figure() as picture:
        axes = picture.subplots()
        axes.imshow(share, cmap="Blues", vmin=0, vmax=1.25)
        for (row, column), count in np.ndenumerate(counts):
            colour = "white" if share[row, column] > 0.6 else "black"
            text = f"{count}\n{100 * share[row, column]:.0f} % of label"
            axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=12)
        axes.set(
            xticks=[0, 1],
            xticklabels=["other", "single hit"],
            yticks=[0, 1],
            yticklabels=["other", "single hit"],
            xlabel="decision",
            ylabel="label",
        )
        axes.grid(False)
    return picture


def histogram_figure(answer: DecidedAnswer, label: Labels | None, threshold: float, abstain_within: float) -> Figure:
    """Histogram of probabilities by label, with the threshold and the band of abstention."""
    with figure() as picture:
        axes = picture.subplots()
        groups = (
            {"single hit": (label == 1, SINGLE), "other": (label == 0, OTHER), "unknown": (label == -1, UNKNOWN)}
            if label is not None
            else {"frames": (np.ones(len(answer.probability), dtype=bool), UNKNOWN)}
        )
        groups = {name: (use, colour) for name, (use, colour) in groups.items() if use.any()}
        axes.hist(
            [answer.probability[use] for use, _ in groups.values()],
            bins=np.linspace(0, 1, 21).tolist(),
            stacked=True,
            color=[colour for _, colour in groups.values()],
            label=[f"{name} ({use.sum()})" for name, (use, _) in groups.items()],
        )
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.axvline(threshold, color="black", linewidth=1.2, label=f"threshold {threshold:g}")
        if abstain_within > 0:
            axes.axvspan(
                threshold - abstain_within,
                threshold + abstain_within,
                color="#f2c94c",
                alpha=0.35,
                zorder=0,
                label="abstains",
            )
        axes.set(
            xlabel=PROBABILITY_AXIS,
            ylabel="frames" if label is None else "frames (stacked)",
            xlim=(0, 1),
        )
        _legend_above(axes)
    return picture


def method_colours(answers: Sequence[DecidedAnswer]) -> list[str]:
    """Colours of the methods: the primary method, which is last, has the first colour."""
    count = len(answers)
    return [METHOD_COLOURS[1 + i % (len(METHOD_COLOURS) - 1)] for i in range(count - 1)] + [METHOD_COLOURS[0]]


def method_lines(answers: Sequence[DecidedAnswer]) -> list[dict[str, Any]]:
    """Line style, width and order of the methods: the primary broad and below, the others dashed above it.

    Curves that coincide stay visible.
    """
    dashes = ("--", "-.", (0, (1, 1)), (0, (5, 1, 1, 1, 1, 1)))
    others = [{"linestyle": dashes[i % 4], "linewidth": 1.5, "zorder": 3.0} for i in range(len(answers) - 1)]
    return [*others, {"linestyle": "-", "linewidth": 2.6, "zorder": 2.5}]


def _square(axes: Axes, x: str, y: str) -> None:
    axes.set(xlabel=x, ylabel=y, xlim=(-0.02, 1.02), ylim=(-0.02, 1.03))
    _legend_above(axes)


def _legend_above(axes: Axes) -> None:
    names = [str(label) for label in axes.get_legend_handles_labels()[1]]
    columns = 3 if max(map(len, names)) < 18 else 2
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, borderaxespad=0.2, columnspacing=1.2)
