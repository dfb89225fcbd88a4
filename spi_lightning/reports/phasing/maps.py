"""Figures of a phasing run: central planes of the pattern and density, and the starts side by side."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from spi_lightning.physics.array import box_about_origin, reach
from spi_lightning.reports.page import Picture
from spi_lightning.reports.style import MASKED, NORMALS, OTHER, PHASE_COLOURS, SINGLE, as_tiles, figure, phase_bar
from spi_lightning.reports.volumes.slices import without_offset
from spi_lightning.results.phasing import PhasingResult

Array = NDArray[Any]
_MARGIN: Final = 1.3  # of the window around the support


def planes(values: Array) -> list[Array]:
    """Planes of an array: an image (y, x) itself, or the central planes of a volume (z, y, x), normal to z, y and x."""
    if values.ndim == 2:
        return [values]
    return [values.take(values.shape[axis] // 2, axis) for axis in range(3)]


def axes_of(ndim: int, number: int) -> tuple[int, int]:
    """Axes of the array downwards and to the right in plane ``number``."""
    rows, columns = [axis for axis in range(ndim) if ndim == 2 or axis != number]
    return rows, columns


def frequency_extent(result: PhasingResult, number: int) -> tuple[tuple[float, float, float, float], str]:
    """Edges of plane ``number`` in frequency (left, right, bottom, top), and their unit, 1/nm or 1/pixel."""
    rows, columns = axes_of(result.intensity.ndim, number)
    steps = [1 / (n * p) for n, p in zip(result.intensity.shape, result.pixel, strict=True)]
    factor, unit = (1e-9, "1/nm") if result.known else (1.0, f"1/{result.element}")
    edges = []
    for axis in (columns, rows):
        n, step = result.intensity.shape[axis], steps[axis] * factor
        edges += [(-(n // 2) - 0.5) * step, (n - n // 2 - 0.5) * step]
    return (edges[0], edges[1], edges[3], edges[2]), unit


def window(result: PhasingResult, number: int) -> tuple[tuple[slice, slice], tuple[float, float, float, float], str]:
    """Square window around the support in plane ``number``: slices (2,), edges in nm or pixel, and that unit."""
    factor, unit = (1e9, "nm") if result.known else (1.0, result.element)
    pair = axes_of(result.support.ndim, number)
    far = reach(torch.from_numpy(result.support), result.support.ndim)
    half = int(np.ceil(max(4, *(far[axis] for axis in pair)) * _MARGIN)) + 1
    box = box_about_origin(result.support.shape, half)
    edges = []
    for axis in pair:
        n, step = result.support.shape[axis], result.pixel[axis] * factor
        edges.append([(index - n // 2 - 0.5) * step for index in (box[axis].start, box[axis].stop)])
    return (box[pair[0]], box[pair[1]]), (edges[1][0], edges[1][1], edges[0][1], edges[0][0]), unit


def dress(axes: Axes, ndim: int, number: int, label: str) -> None:
    """Label the axes of a plane, with few ticks.

    Args:
        axes: Axes of the plane.
        ndim: Number of axes of the array, 2 or 3.
        number: Index of the plane.
        label: Label of an axis with ``{}`` for its name.
    """
    rows, columns = axes_of(ndim, number)
    names = "zyx"[-ndim:]
    axes.grid(False)
    axes.set_xlabel(label.format(names[columns]))
    axes.set_ylabel(label.format(names[rows]))
    if ndim == 3:
        axes.set_title(NORMALS[number])
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_locator(MaxNLocator(5))


def pattern_picture(result: PhasingResult) -> Picture:
    """Captioned picture of the pattern."""
    volume = result.intensity.ndim == 3
    caption = "Central planes through q = 0. " if volume else ""
    caption += f"{_unit_of(result).capitalize()} on a logarithmic scale; grey: not measured."
    if result.known:
        caption += " q = 2 sin(theta) / wavelength = 1 / d, d the full period, without a factor 2 pi."
    return Picture(as_tiles(pattern_figure(result)), "Pattern", caption, wide=volume)


def density_picture(result: PhasingResult) -> Picture:
    """Captioned picture of the density."""
    volume = result.intensity.ndim == 3
    caption = "Mean of the kept starts; red line: the support." + (" Central planes." if volume else "")
    if np.iscomplexobj(result.density):
        caption += " Phase without its constant, only where the amplitude exceeds 5 % of its maximum."
    if result.about.frame:
        caption += f" Frame of the {result.about.frame}."
    return Picture(as_tiles(density_figure(result)), "Density", caption, wide=volume)


def truth_pictures(result: PhasingResult) -> list[Picture]:
    """Captioned picture of the true density, where it is known."""
    if result.truth is None:
        return []
    drawn = density_figure(result, result.truth)
    wide = result.intensity.ndim == 3
    return [Picture(as_tiles(drawn), "Truth", "The density that was simulated.", wide=wide)]


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
    if whole:
        density = without_offset(density)
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


_MOST: Final = 10


def starts_picture(result: PhasingResult) -> Picture:
    """Captioned picture of the starts of smallest error."""
    return Picture(
        as_tiles(starts_figure(result)), "Densities of the starts", _starts_caption(result), wide=len(result.kept) > 2
    )


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
