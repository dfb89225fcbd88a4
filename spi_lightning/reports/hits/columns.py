"""Scatter plots of the probability against brightness and size of each frame."""

from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter
from numpy.typing import NDArray

from spi_lightning.fields import DIAMETER_NM, FRAME_PHOTONS
from spi_lightning.reports.style import OTHER, SINGLE, UNKNOWN, figure
from spi_lightning.results.hits import HitResult

from .curves import PROBABILITY_AXIS

AXES = {
    FRAME_PHOTONS: ("Brightness", "photons in the measured pixels", "log"),
    DIAMETER_NM: ("Size", "diameter of the fitted sphere (nm)", "linear"),
}


def column_figures(result: HitResult, label: NDArray[np.int64] | None) -> Iterator[tuple[Figure, str, str]]:
    """Scatter plot, title and caption of each measured column in AXES.

    Args:
        result: Result of the evaluation.
        label: (N,) 1 single hit, 0 other, -1 unknown; None: there are no labels.
    """
    for name, (title, words, scale) in AXES.items():
        values = result.columns.get(name)
        if values is not None and np.isfinite(values).any():
            missing = int((~np.isfinite(values)).sum())
            caption = f"{missing} frames without a value are left out." if missing else ""
            yield _scatter(values.astype(np.float64), result.primary.probability, label, words, scale), title, caption


def scatter_by_label(
    axes: Axes, x: NDArray[np.floating], y: NDArray[np.floating], label: NDArray[np.int64], size: float
) -> None:
    """Draw marks at x and y, (N,), in the colour and shape of their label, unknown ones below.

    Args:
        axes: Axes to draw in.
        x, y: (N,) positions in units of the axes.
        label: (N,) 1 single hit, 0 other, -1 unknown.
        size: Area of a mark, square points.
    """
    for value, name, colour, marker in (
        (-1, "frames" if (label == -1).all() else "unknown", UNKNOWN, "o"),
        (0, "other", OTHER, "s"),
        (1, "single hit", SINGLE, "o"),
    ):
        if (use := label == value).any():
            axes.scatter(
                x[use],
                y[use],
                s=size,
                color=colour,
                marker=marker,
                alpha=0.7,
                linewidths=0,
                label=f"{name} ({use.sum()})",
            )


def _scatter(
    values: NDArray[np.float64],
    probability: NDArray[np.float32],
    label: NDArray[np.int64] | None,
    words: str,
    scale: str,
) -> Figure:
    label = np.full(len(values), -1) if label is None else label
    size = float(np.clip(4000 / len(values), 3, 36))
    with figure() as picture:
        axes = picture.subplots()
        known = np.isfinite(values)
        scatter_by_label(axes, values[known], probability[known], label[known], size)
        if scale == "log" and values[np.isfinite(values)].min() > 0:
            axes.set_xscale("log")
            axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
            axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set(xlabel=words, ylabel=PROBABILITY_AXIS, ylim=(-0.03, 1.03))
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderaxespad=0.2)
    return picture
