"""Central planes of the density of a running refinement, as a figure and as text for terminals."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from rich.style import Style
from rich.text import Text

from spi_lightning.reports.volumes.slices import without_offset

from .style import NORMALS, PHASE_COLOURS, figure, phase_bar

Array = NDArray[Any]
_ROWS, _GAP = 24, 3  # of a sketch: pixels (two in a line) and columns between planes


def coloured(plane: Array) -> Array:
    """Complex plane (rows, columns) as red, green and blue, (rows, columns, 3): hue is phase, brightness amplitude."""
    bright = np.abs(plane) / max(float(np.abs(plane).max()), 1e-30)
    turn = (np.angle(plane) + np.pi) / (2 * np.pi)
    colours: Array = colormaps.get_cmap(PHASE_COLOURS)(turn)[..., :3] * bright[..., None]
    return colours


def central_planes(density: Array) -> list[Array]:
    """Three planes of a density (z, y, x) through the voxel n // 2, its constant phase removed."""
    turned = without_offset(density)
    return [turned.take(n // 2, axis) for axis, n in enumerate(density.shape)]


def live_figure(density: Array, title: str) -> Figure:
    """Figure of the central planes of a density (z, y, x): hue is phase, brightness amplitude."""
    planes = central_planes(density)
    with figure(9.0, 3.6) as picture:
        panels = picture.subplots(1, 3)
        for axes, plane, normal in zip(panels, planes, NORMALS, strict=True):
            axes.imshow(coloured(plane), interpolation="nearest")
            axes.grid(False)
            for ticks in (axes.xaxis, axes.yaxis):
                ticks.set_major_locator(MaxNLocator(5, integer=True))
            rows, columns = (axis for axis in "zyx" if axis != normal[-1])
            axes.set(title=normal, xlabel=f"{columns} (voxel)", ylabel=f"{rows} (voxel)")
        phase_bar(picture, ScalarMappable(Normalize(-np.pi, np.pi), PHASE_COLOURS), panels, shrink=0.85, pad=0.02)
        picture.suptitle(f"{title}; brightness is amplitude / maximum", fontsize=10)
    return picture


def live_sketch(density: Array, width: int = 80) -> Text:
    """Central planes of a density (z, y, x) side by side as text, at most ``width`` characters wide."""
    planes = [coloured(plane) for plane in central_planes(density)]
    zoom = (width - _GAP * (len(planes) - 1)) / sum(plane.shape[1] for plane in planes)
    factor = min(zoom, _ROWS / max(plane.shape[0] for plane in planes))
    return half_blocks([_resized(plane, factor) for plane in planes])


def half_blocks(planes: Sequence[Array]) -> Text:
    """Images (rows, columns, 3) side by side as text; a character, the upper half block, is two pixels."""
    lines = max((len(plane) + 1) // 2 for plane in planes)
    sketch = Text()
    for line in range(lines):
        for number, plane in enumerate(planes):
            sketch.append(" " * _GAP if number else "")
            for column in range(plane.shape[1]):
                upper, lower = (_colour(plane, 2 * line + half, column) for half in (0, 1))
                sketch.append("▀", Style(color=upper, bgcolor=lower))
        sketch.append("\n" if line < lines - 1 else "")
    return sketch


def _colour(plane: Array, row: int, column: int) -> str:
    red, green, blue = (255 * plane[row, column]).round().astype(int) if row < len(plane) else (0, 0, 0)
    return f"#{red:02x}{green:02x}{blue:02x}"


def _resized(plane: Array, factor: float) -> Array:
    """Image ``factor`` times as large, by nearest pixels."""
    rows, columns = (
        np.minimum((np.arange(max(1, int(n * factor))) / factor).astype(int), n - 1) for n in plane.shape[:2]
    )
    return plane[np.ix_(rows, columns)]
