"""Figure of the starts of a phasing run side by side."""

from __future__ import annotations

from typing import Final

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from spi_lightning.reports.page import Picture
from spi_lightning.reports.style import OTHER, SINGLE, as_png, figure
from spi_lightning.results.phasing import PhasingResult

from .planes import axes_of, planes, window

_MOST: Final = 10


def starts_picture(result: PhasingResult) -> Picture:
    """Captioned picture of the starts of smallest error."""
    return Picture(as_png(starts_figure(result)), "Densities of the starts", _starts_caption(result), wide=True)


def starts_figure(result: PhasingResult) -> Figure:
    """Starts in order of their error, aligned to the best, each over its maximum."""
    order = np.argsort(result.final_error)[:_MOST]
    columns = min(5, len(order))
    rows = -(-len(order) // columns)
    cut, extent, unit = window(result, 0)
    down, right = ("zyx"[-result.density.ndim :][axis] for axis in axes_of(result.density.ndim, 0))
    ratio = abs((extent[3] - extent[2]) / (extent[1] - extent[0]))
    with figure(2.35 * columns + 0.9, (2.2 * min(ratio, 2.0) + 0.6) * rows) as picture:
        panels = picture.subplots(rows, columns, squeeze=False)
        for axes in panels.flat:
            axes.axis("off")
        for number, (axes, start) in enumerate(zip(panels.flat, order, strict=False)):
            axes.axis("on")
            amplitude = np.abs(result.starts[start])
            plane = planes(amplitude / max(float(amplitude.max()), 1e-30))[0][cut]
            drawn = axes.imshow(plane, cmap="viridis", vmin=0, vmax=1, extent=extent, interpolation="nearest")
            kept = bool(result.kept[start])
            axes.set_title(
                f"{result.final_error[start]:.3g}, {'kept' if kept else 'failed'}",
                color=SINGLE if kept else OTHER,
                fontsize=9,
            )
            if number % columns == 0:
                axes.set_ylabel(f"{down} ({unit})", fontsize=8)
            if number + columns >= len(order):
                axes.set_xlabel(f"{right} ({unit})", fontsize=8)
            axes.xaxis.set_major_locator(MaxNLocator(3))
            axes.yaxis.set_major_locator(MaxNLocator(4))
            axes.tick_params(labelsize=7)
            axes.grid(False)
        bar = picture.colorbar(drawn, ax=list(panels.flat), shrink=0.85, pad=0.02)
        bar.set_label("|density| / maximum", fontsize=8)
        bar.ax.tick_params(labelsize=7)
    return picture


def _starts_caption(result: PhasingResult) -> str:
    what = "|density| in the central plane normal to z" if result.density.ndim == 3 else "|density|"
    return (
        f"{what} of the {min(_MOST, len(result.kept))} starts of smallest relative Fourier error, the number above "
        "each. Kept starts agree and make the mean; failed ones do not."
    )
