"""Planes of a pattern or density on a phasing page, with their windows and axes."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from spi_lightning.physics.array import box_about_origin, reach
from spi_lightning.results.phasing import PhasingResult

Array = NDArray[Any]
_PLANES: Final = ("normal to z", "normal to y", "normal to x")
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
        axes.set_title(_PLANES[number])
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_locator(MaxNLocator(5))
