"""Figures of Han & Li (2017) on their transferred network: confusion, errors by fluence, and activations."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatterSciNotation, LogLocator, MaxNLocator, NullFormatter, PercentFormatter
from numpy.typing import NDArray
from scipy.stats import binomtest

from spi_lightning.metrics.hits.classification_curves import confusion
from spi_lightning.reports.page import Table
from spi_lightning.reports.style import OTHER, SINGLE, figure

Integers = NDArray[np.int64]
_PANEL = 1.15  # inches
_FEWEST = 5  # frames behind a share that is drawn


def confusion_table(label: Integers, decisions: Mapping[str, Integers]) -> Table:
    """Frames by truth and decision in the columns of Han & Li (2017), one row for each method.

    Args:
        label: (N,) 1 single hit, 0 other, -1 unknown and left out.
        decisions: Name of a method -> (N,) 1 where it takes the frame as a single hit.

    Source: Han & Li (2017), table in Sect. 5.2.
    """
    known = label >= 0
    counts = {name: confusion(decision[known], label[known]) for name, decision in decisions.items()}
    rows = [
        (name, f"{c[1, 1]:,}", f"{c[0, 0]:,}", f"{c[1, 0]:,}", f"{c[0, 1]:,}", f"{100 * np.trace(c) / c.sum():.1f} %")
        for name, c in counts.items()
    ]
    head = ("method", "single hits\nfound", "others\nrejected", "single hits\nmissed", "false\nalarms", "accuracy")
    return Table(head, rows, "Labelled frames by label and decision.")


@dataclass(frozen=True)
class FluenceErrors:
    """Errors in bins of equal width on a logarithmic scale.

    Attributes:
        edges: (b + 1,) edges of the bins, in the unit of the fluence; the outer bins also hold the few frames beyond.
        singles, missed: (b,) single hits, and the number of them that are not taken as single hits.
        others, taken: (b,) other frames, and how many of them are taken as single hits.
    """

    edges: NDArray[np.float64]
    singles: Integers
    missed: Integers
    others: Integers
    taken: Integers


def errors_by_fluence(
    label: Integers, decision: Integers, fluence: NDArray[np.floating], bins: int = 8
) -> FluenceErrors | None:
    """Count errors by fluence, or by any other brightness.

    Args:
        label: (N,) 1 single hit, 0 other, -1 unknown and left out.
        decision: (N,) 1 where a frame is taken as a single hit.
        fluence: (N,) in any unit; frames where it is not positive and finite are left out.
        bins: Number of bins, from the 1st to the 99th percentile.

    Returns:
        None where no labelled frame has a fluence, or all have the same.
    """
    use = (label >= 0) & np.isfinite(fluence) & (fluence > 0)
    value, truth, choice = fluence[use].astype(np.float64), label[use], decision[use]
    if len(value) == 0 or value.min() == value.max():
        return None
    low, high = np.quantile(value, [0.01, 0.99])
    edges = np.geomspace(low, high, bins + 1) if low < high else np.geomspace(value.min(), value.max(), bins + 1)
    group = np.clip(np.searchsorted(edges, value, side="right") - 1, 0, bins - 1)

    def count(these: NDArray[np.bool_]) -> Integers:
        return np.bincount(group[these], minlength=bins).astype(np.int64)

    single, other = truth == 1, truth == 0
    missed, taken = count(single & (choice == 0)), count(other & (choice == 1))
    return FluenceErrors(edges, count(single), missed, count(other), taken)


def errors_by_fluence_figure(errors: FluenceErrors, brightness: str = "fluence (photons/m²)") -> Figure:
    """Share of single hits missed and of others taken, with 95 % Wilson intervals, above the number of frames.

    Shares of fewer than five frames are left out.

    Source: Han & Li (2017), Sect. 5.2 and Fig. 12: missed single hits are mostly faint.
    """
    middle = np.sqrt(errors.edges[1:] * errors.edges[:-1])
    series = (
        ("single hits missed", SINGLE, "o-", errors.singles, errors.missed),
        ("others taken as single hits", OTHER, "s--", errors.others, errors.taken),
    )
    with figure() as picture:
        axes, frames = picture.subplots(2, 1, height_ratios=[3, 1], sharex=True)
        bottom = np.zeros(len(middle))
        for name, colour, marks, count, wrong in series:
            there = count >= _FEWEST
            share = wrong[there] / count[there]
            low, high = _intervals(wrong[there], count[there])
            bars = np.clip([share - low, high - share], 0, None)
            title = f"{name}: {wrong.sum():,} of {count.sum():,}"
            axes.errorbar(
                middle[there],
                share,
                bars,
                fmt=marks,
                color=colour,
                capsize=2.5,
                linewidth=1.4,
                elinewidth=1,
                label=title,
            )
            frames.bar(errors.edges[:-1], count, np.diff(errors.edges), bottom, align="edge", color=colour, alpha=0.75)
            bottom += count
        axes.set(ylabel="share of frames in error", xscale="log", ylim=(0, None))
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=1, borderaxespad=0.2)
        frames.set(xlabel=brightness, ylabel="frames", xlim=(errors.edges[0], errors.edges[-1]))
        narrow = errors.edges[-1] < 30 * errors.edges[0]
        frames.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if narrow else (1,)))
        frames.xaxis.set_major_formatter(LogFormatterSciNotation(minor_thresholds=(np.inf, np.inf)))
        frames.xaxis.set_minor_formatter(NullFormatter())
        frames.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    return picture


def errors_by_fluence_table(errors: FluenceErrors, brightness: str = "fluence (photons/m²)") -> Table:
    """Table of the numbers in the figure, a row for each bin."""
    form = ",.0f" if errors.edges.min() >= 100 and errors.edges.max() < 1e7 else ".3e"
    rows = [
        (f"{low:{form}} to {high:{form}}", f"{missed:,} of {singles:,}", f"{taken:,} of {others:,}")
        for low, high, singles, missed, others, taken in zip(
            errors.edges[:-1],
            errors.edges[1:],
            *(errors.singles, errors.missed, errors.others, errors.taken),
            strict=True,
        )
    ]
    caption = "The outer bins also hold the few frames beyond."
    return Table((brightness, "single hits missed", "others taken"), rows, caption)


def layer_gallery_figure(
    pattern: NDArray[np.floating], maps: Mapping[str, NDArray[np.floating]], channels: int = 6
) -> Figure:
    """One pattern as some layers see it, a row for each layer: its channels that vary most, each on its own scale.

    Args:
        pattern: (H, W) photons of the frame.
        maps: Name of a layer -> (C, h, w) values of its channels.
        channels: Number of channels of each layer.

    Source: Han & Li (2017), Fig. 13.
    """
    with figure(_PANEL * (channels + 1.35), _PANEL * len(maps) + 0.3) as picture:
        grid = picture.subplots(len(maps), channels + 1, squeeze=False)
        for row, (name, values) in zip(grid, maps.items(), strict=True):
            order = np.argsort(-values.reshape(len(values), -1).std(axis=1), kind="stable")[:channels]
            row[1].set_ylabel(f"{name}\n{values.shape[0]} maps of {values.shape[1]} × {values.shape[2]}", fontsize=7)
            for axes, channel in zip(row[1:], order, strict=False):
                axes.imshow(values[channel], cmap="magma")
                axes.set_title(f"channel {channel}", fontsize=7, pad=2)
        grid[0, 0].imshow(np.log1p(pattern), cmap="viridis")
        grid[0, 0].set_title("log(1 + photons)", fontsize=7, pad=2)
        for axes in grid.flat:
            axes.set(xticks=[], yticks=[])
            axes.grid(False)
            for spine in axes.spines.values():
                spine.set_visible(False)
    return picture


def _intervals(wrong: Integers, count: Integers) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """95 % Wilson interval of each share, low and high."""
    pairs = zip(wrong.tolist(), count.tolist(), strict=True)
    bounds = [binomtest(k, n).proportion_ci(0.95, method="wilson") for k, n in pairs]
    return np.array([b.low for b in bounds]), np.array([b.high for b in bounds])
