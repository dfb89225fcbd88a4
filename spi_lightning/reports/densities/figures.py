"""Figures of a comparison of densities: correlation over frequency, and central planes side by side."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from spi_lightning.printable import without_middle
from spi_lightning.reports.phasing.maps import axes_of, planes
from spi_lightning.reports.style import INK, METHOD_COLOURS, NORMALS, UNKNOWN, figure
from spi_lightning.reports.volumes.slices import box_with_margin, length_bar
from spi_lightning.results.densities import DensityComparison, DensityPair

Array = NDArray[Any]
_INSIDE: Final = 0.1  # of the largest amplitude: where slices are cut
_LONGEST: Final = 24  # letters of a name in a figure


def pair_name(result: DensityComparison, pair: DensityPair) -> str:
    """Names of the two densities of a pair."""
    first, second = (without_middle(result.names[number], _LONGEST) for number in (pair.first, pair.second))
    return f"{first}, {second}"


def correlation_figure(result: DensityComparison) -> Figure:
    """Correlation of every two densities with the thresholds, above the number of Fourier components of each shell."""
    factor, unit = (1e-9 / result.voxel, "1/nm") if result.known else (1.0, f"1/{result.element}")
    frequency = factor * result.frequency
    with figure(5.6, 5.6) as picture:
        curves, counts = picture.subplots(2, 1, sharex=True, height_ratios=(3.2, 1))
        for number, pair in enumerate(result.pairs):
            colour = METHOD_COLOURS[number % len(METHOD_COLOURS)]
            label = pair_name(result, pair) if len(result.pairs) > 1 else result.curve_name
            curves.plot(frequency, pair.curve, color=colour, label=label + ", corrected" * bool(len(pair.masked)))
            if len(pair.masked) and len(result.pairs) == 1:
                curves.plot(frequency, pair.unmasked, color=colour, linewidth=0.9, linestyle="--", label="no mask")
                curves.plot(frequency, pair.masked, color=METHOD_COLOURS[1], linewidth=0.9, label="within the mask")
                curves.plot(frequency, pair.randomised, color=METHOD_COLOURS[5], linewidth=0.9, label="random phases")
        curves.plot(frequency, result.half_bit, color=INK, linewidth=0.9, linestyle=":", label="half bit")
        for level, style in ((0.5, "-."), (0.143, (0, (1, 3)))):
            curves.axhline(level, color=INK, linewidth=0.9, linestyle=style, label=f"{level}")
        curves.fill_between(frequency, -result.chance, result.chance, color=UNKNOWN, alpha=0.2, label="noise, 3 sigma")
        curves.set(ylabel=f"correlation ({result.curve_name})", ylim=(-0.3, 1.05))
        counts.step(frequency, result.voxels, where="mid", color=INK, linewidth=1.0)
        counts.set(xlabel=f"q ({unit})", ylabel=f"{result.element}s\nper shell", yscale="log")
        picture.legend(*curves.get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8)
    return picture


def slices_figure(result: DensityComparison) -> Figure:
    """Central planes of the aligned densities, and of their differences from the first at its best scale."""
    ndim, first = result.densities.ndim - 1, result.densities[0]
    rows: list[tuple[str, Array, bool]] = [(result.names[0], first, False)]
    for name, each in zip(result.names[1:], result.densities[1:], strict=True):
        rows += [(name, each, False), ("difference", scaled_to(each, first) - first, True)]
    top = float(np.abs(first).max())
    window = _window(result.densities)
    edges = [each.stop - each.start for each in window]
    count = 3 if ndim == 3 else 1
    widths = [edges[axes_of(ndim, number)[1]] for number in range(count)]
    inch = (8.4 if ndim == 3 else 3.2) / sum(widths)
    tall = max(edges[axes_of(ndim, number)[0]] for number in range(count))
    with figure(sum(widths) * inch + 2.2, len(rows) * (inch * tall + 0.12) + 0.5) as picture:
        panels = picture.subplots(len(rows), count, squeeze=False, width_ratios=widths)
        for row, (name, density, signed) in enumerate(rows):
            values = _shown(density, signed, scaled_to(density, first) if not signed else density) / top
            for number, plane in enumerate(planes(values)):
                drawn = _panel(panels[row, number], plane, number, ndim, window, signed)
                if row == 0 and ndim == 3:
                    panels[row, number].set_title(NORMALS[number], fontsize=9)
            panels[row, 0].set_ylabel(without_middle(name, _LONGEST), fontsize=9)
            bar = picture.colorbar(drawn, ax=list(panels[row]), shrink=0.9, pad=0.01, aspect=12)
            bar.set_label(
                "difference" if signed else "amplitude" if np.iscomplexobj(density) else "density", fontsize=8
            )
            bar.ax.tick_params(labelsize=7)
        edge, unit = (1e9 * result.voxel, "nm") if result.known else (1.0, f"{result.element}s")
        length_bar(panels[0, 0], edge, unit, _shape(window, 0, ndim))
    return picture


def scaled_to(density: Array, first: Array) -> Array:
    """Density times the real number that brings it nearest to the first, in the least squares."""
    power = float(np.vdot(density, density).real)
    scaled: Array = density * (float(np.vdot(density, first).real) / max(power, 1e-30))
    return scaled


def _shown(density: Array, signed: bool, scaled: Array) -> Array:
    """Values of a panel: the amplitude of complex densities and differences, the density itself where it is real."""
    if np.iscomplexobj(density):
        return np.abs(density if signed else scaled)
    return density if signed else scaled


def _window(densities: Array) -> tuple[slice, ...]:
    """Box around all densities, with a margin."""
    amplitude = np.abs(densities)
    inside = (amplitude > _INSIDE * amplitude.max(tuple(range(1, densities.ndim)), keepdims=True)).any(0)
    if inside.ndim == 3:
        return box_with_margin(inside)
    return box_with_margin(inside[None])[1:]


def _shape(window: tuple[slice, ...], number: int, ndim: int) -> tuple[int, int]:
    rows, columns = (window[axis].stop - window[axis].start for axis in axes_of(ndim, number))
    return rows, columns


def _panel(axes: Axes, plane: Array, number: int, ndim: int, window: tuple[slice, ...], signed: bool) -> Any:
    """One plane, cut to the window; a difference about 0 in two colours."""
    rows, columns = (window[axis] for axis in axes_of(ndim, number))
    low = -1.0 if signed and plane.min() < 0 else min(0.0, float(plane.min()))
    limits = {"vmin": -0.5, "vmax": 0.5, "cmap": "RdBu_r"} if signed and low < 0 else {"vmin": low, "vmax": 1.0}
    drawn = axes.imshow(plane[rows, columns], interpolation="nearest", **({"cmap": "viridis"} | limits))
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    axes.grid(False)
    return drawn
