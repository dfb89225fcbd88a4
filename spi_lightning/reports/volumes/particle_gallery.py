"""Gallery of particles and their patterns: central planes of amplitude, phase and intensity."""

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from spi_lightning.reports.style import MASKED, PHASE_COLOURS, figure, phase_bar

Array = NDArray[Any]
_COLUMNS = 4
_DECADES = 6


def volume_figure(amplitude: Array, phase: Array, intensity: Array, mask: Array, captions: Sequence[str]) -> Figure:
    """Column of three panels for each particle: central planes normal to z.

    Args:
        amplitude, phase: (n, z, y, x), 1 and rad; the phase is drawn where the amplitude exceeds 10 % of its maximum.
        intensity, mask: (n, Z, Y, X), photons or relative; shown over six decades below the maximum of the plane.
        captions: Caption of each particle.
    """
    count = len(amplitude)
    rows, columns = -(-count // _COLUMNS), min(_COLUMNS, count)
    scales = (Normalize(0, 1), Normalize(-np.pi, np.pi), LogNorm(10.0**-_DECADES, 1))
    maps = (mpl.colormaps["viridis"], PHASE_COLOURS, mpl.colormaps["magma"])
    shades = [each.with_extremes(bad=MASKED) for each in maps]
    names = ("amplitude", "", "intensity / maximum")
    with figure(2.3 * columns + 1.2, 6.4 * rows) as picture:
        panels = picture.subplots(3 * rows, columns, squeeze=False)
        for axes in panels.flat:
            axes.axis("off")
        for number in range(count):
            own = panels[3 * (number // columns) : 3 * (number // columns) + 3, number % columns]
            own[0].set_title(captions[number], fontsize=9)
            for axes, plane, norm, shade in zip(
                own, _planes(number, amplitude, phase, intensity, mask), scales, shades, strict=True
            ):
                axes.imshow(plane, norm=norm, cmap=shade, interpolation="nearest")
                axes.axis("on")
                axes.set(xticks=[], yticks=[])
                axes.grid(False)
        for row in range(3 * rows):
            bar = mpl.cm.ScalarMappable(scales[row % 3], shades[row % 3])
            if row % 3 == 1:
                phase_bar(picture, bar, panels[row], shrink=0.8, pad=0.02)
            else:
                picture.colorbar(bar, ax=list(panels[row]), shrink=0.8, pad=0.02).set_label(names[row % 3])
    return picture


def _planes(number: int, amplitude: Array, phase: Array, intensity: Array, mask: Array) -> tuple[Array, Array, Array]:
    middle, centre = amplitude.shape[1] // 2, intensity.shape[1] // 2
    size, pattern = amplitude[number, middle], intensity[number, centre]
    turned = np.where(size > 0.1 * amplitude[number].max(), phase[number, middle], np.nan)
    relative = np.maximum(pattern / max(float(pattern.max()), 1e-30), 10.0**-_DECADES)
    return size, turned, np.where(mask[number, centre], relative, np.nan)
