"""Figures of the merged intensity: central planes, and patterns beside their best matching slices."""

from __future__ import annotations

from typing import Final

import matplotlib as mpl
import numpy as np
from matplotlib.colors import Colormap, LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from spi_lightning.reports.page import Picture
from spi_lightning.reports.style import MASKED, as_png, figure
from spi_lightning.results.orientation import Examples, OrientationResult

_SLICES: Final = (
    "Photons per pixel in a pattern of mean fluence, on a logarithmic scale, in the planes through q = 0 normal to z, "
    "y and x of the reconstruction's frame. Grey: never measured."
)
_EXAMPLES: Final = (
    "Above: patterns from faint to bright. Below: slices at their most probable orientations. Grey: not used."
)


def slices_picture(result: OrientationResult) -> Picture:
    """Captioned picture of three central planes."""
    return Picture(as_png(slices_figure(result)), "Central slices", _SLICES, wide=True)


def examples_picture(examples: Examples) -> Picture:
    """Captioned picture of patterns above their slices."""
    return Picture(as_png(examples_figure(examples)), "Patterns and best matching slices", _EXAMPLES, wide=True)


def slices_figure(result: OrientationResult) -> Figure:
    """Three central planes of the merged intensity on one logarithmic scale."""
    size = result.slices.shape[-1]
    known = bool(np.isfinite(result.voxel))
    step, unit = (result.voxel * 1e-9, "1/nm") if known else (1.0, "voxel")
    edge = (np.array([0, size]) - size // 2 - 0.5) * step
    measured = result.slices[result.slices > 0]
    top = float(measured.max()) if len(measured) else 1.0
    norm = LogNorm(max(float(np.quantile(measured, 0.02)) if len(measured) else 0.1, top * 1e-6), top, clip=True)
    with figure(11, 3.9) as picture:
        panels = picture.subplots(1, 3)
        for axes, plane, down, right in zip(panels, result.slices, "yzz", "xxy", strict=True):
            drawn = np.where(plane > 0, plane, np.nan)
            image = axes.imshow(
                drawn, norm=norm, cmap=_colours(), extent=(*edge, edge[1], edge[0]), interpolation="nearest"
            )
            axes.set(xlabel=f"$q_{right}$ ({unit})", ylabel=f"$q_{down}$ ({unit})")
            axes.xaxis.set_major_locator(MaxNLocator(4))
            axes.yaxis.set_major_locator(MaxNLocator(4))
            axes.grid(False)
        picture.colorbar(image, ax=panels, shrink=0.85, pad=0.01, label="photons per pixel")
    return picture


def examples_figure(examples: Examples) -> Figure:
    """Patterns above, the best matching slices below, on one logarithmic scale. Source: Shi et al. (2019), Fig. S5."""
    count = len(examples.frame)
    used = examples.classes < 2
    norm = LogNorm(0.5, max(2.0, float(examples.photons.max())), clip=True)
    with figure(2.35 * count + 0.9, 5.1) as picture:
        panels = picture.subplots(2, count, squeeze=False)
        rows = (("pattern", examples.photons), ("slice", examples.expected))
        for line, (name, images) in zip(panels, rows, strict=True):
            for axes, values, frame, match in zip(line, images, examples.frame, examples.correlation, strict=True):
                drawn = np.where(used, np.maximum(values, 0.5), np.nan)
                image = axes.imshow(drawn, norm=norm, cmap=_colours(), interpolation="nearest")
                axes.set_title(
                    f"pattern {frame}" if name == "pattern" else f"slice, correlation {match:.2f}", fontsize=9
                )
                axes.set(xticks=[], yticks=[])
                axes.grid(False)
                for side in axes.spines.values():
                    side.set_visible(False)
        picture.colorbar(image, ax=panels, shrink=0.8, pad=0.01, label="photons per pixel")
    return picture


def _colours() -> Colormap:
    return mpl.colormaps["inferno"].with_extremes(bad=MASKED)
