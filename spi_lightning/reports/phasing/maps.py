"""Figures of the pattern and the density of a phasing run: central planes of both."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LogNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from spi_lightning.reports.page import Picture
from spi_lightning.reports.style import MASKED, PHASE_COLOURS, as_png, figure, phase_bar
from spi_lightning.results.phasing import PhasingResult

from .planes import dress, frequency_extent, planes, window

Array = NDArray[Any]


def result_pictures(result: PhasingResult) -> list[Picture]:
    """Captioned pictures of the pattern, the density and, where it is known, the true density."""
    volume = result.intensity.ndim == 3
    caption = (
        "Central planes through q = 0. " if volume else ""
    ) + f"{_unit_of(result).capitalize()} on a logarithmic scale; grey: not measured."
    if result.known:
        caption += " q = 2 sin(theta) / wavelength = 1 / d, d the full period, without a factor 2 pi."
    pictures = [Picture(as_png(pattern_figure(result)), "Pattern", caption, wide=volume)]
    caption = "Mean of the kept starts; red line: the support." + (" Central planes." if volume else "")
    if np.iscomplexobj(result.density):
        caption += " Phase only where the amplitude exceeds 5 % of its maximum."
    if result.about.frame:
        caption += f" Frame of the {result.about.frame}."
    pictures.append(Picture(as_png(density_figure(result)), "Density", caption, wide=volume))
    if result.truth is not None:
        pictures.append(
            Picture(
                as_png(density_figure(result, result.truth)), "Truth", "The density that was simulated.", wide=volume
            )
        )
    return pictures


def _unit_of(result: PhasingResult) -> str:
    """Unit of the values of the pattern."""
    return f"photons per {result.element}" if result.about.counted else "intensity (relative)"


def pattern_figure(result: PhasingResult) -> Figure:
    """Photons of the pattern on a logarithmic scale against frequency."""
    cuts, masks = planes(result.intensity), planes(result.mask)
    top = float(result.intensity.max())
    low = max(1.0 if top > 30 else 0.1, top * 1e-6) if result.about.counted else top * 1e-6
    with figure(3.9 * len(cuts) + 0.9, 3.9) as picture:
        panels = np.atleast_1d(picture.subplots(1, len(cuts)))
        for number, (axes, plane, mask) in enumerate(zip(panels, cuts, masks, strict=True)):
            extent, label = frequency_extent(result, number)
            axes.set_facecolor(MASKED)
            filled = np.where(mask, np.maximum(plane, low), np.nan)
            drawn = axes.imshow(filled, norm=LogNorm(low, top), cmap="magma", extent=extent, interpolation="nearest")
            dress(axes, result.intensity.ndim, number, "$q_{}$ (" + label + ")")
        picture.colorbar(drawn, ax=list(panels), shrink=0.85, pad=0.02).set_label(_unit_of(result))
    return picture


def density_figure(result: PhasingResult, density: Array | None = None) -> Figure:
    """Density, or amplitude and phase, around the support, with the outline of the support.

    Args:
        result: Phasing result with the support and the edge of a pixel.
        density: (..., y, x) float or complex density to draw; None: that of the result.
    """
    density = result.density if density is None else density
    whole = np.iscomplexobj(density)
    amplitude, supports = planes(np.abs(density) if whole else density), planes(result.support)
    phases = (
        planes(np.where(np.abs(density) > 0.05 * np.abs(density).max(), np.angle(density), np.nan)) if whole else []
    )
    rows = 2 if whole else 1
    with figure(3.9 * len(amplitude) + 1.4, 3.9 * rows) as picture:
        panels = picture.subplots(rows, len(amplitude), squeeze=False)
        top = max(float(np.max(np.abs(density))), 1e-30)
        low = min(0.0, float(np.min(density))) if not whole else 0.0
        for number, plane in enumerate(amplitude):
            drawn = _panel(result, panels[0, number], plane / top, supports[number], number, (low / top, 1, "viridis"))
            if whole:
                scale = (-np.pi, np.pi, PHASE_COLOURS)
                turned = _panel(result, panels[1, number], phases[number], supports[number], number, scale)
        label = "amplitude / maximum" if whole else "density / maximum"
        picture.colorbar(drawn, ax=list(panels[0]), shrink=0.85, pad=0.02).set_label(label)
        if whole:
            phase_bar(picture, turned, panels[1], shrink=0.85, pad=0.02)
    return picture


def _panel(
    result: PhasingResult,
    axes: Axes,
    plane: Array,
    support: Array,
    number: int,
    scale: tuple[float, float, str | Colormap],
) -> Any:
    """One plane of a density, cut to the support, axes in nm or pixels."""
    cut, extent, unit = window(result, number)
    axes.set_facecolor("#eef1f4")
    drawn = axes.imshow(plane[cut], vmin=scale[0], vmax=scale[1], cmap=scale[2], extent=extent, interpolation="nearest")
    if support[cut].any() and not support[cut].all():
        axes.contour(support[cut], levels=[0.5], colors=["#ff5a36"], linewidths=0.9, extent=extent, origin="upper")
    dress(axes, result.support.ndim, number, "{} (" + unit + ")")
    return drawn
