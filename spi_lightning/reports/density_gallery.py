"""Gallery of patterns beside their densities."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from spi_lightning.fields import DENSITY
from spi_lightning.io.patterns.pattern_file import PatternFile

from .style import INK, MASKED, figure

PAIRS = 4  # of panels in a row
_DECADES = 6
_WIDTH, _GAP, _HEAD, _FOOT = 10.8, 0.06, 0.16, 0.55  # inches; in panel widths; inches
SCALES = (("inferno", -_DECADES, "intensity over its maximum, powers of ten"), ("gray", 0, "density over its maximum"))


def density_figure(patterns: PatternFile, frames: Sequence[int], captions: Sequence[str]) -> Figure:
    """Pairs of panels: logarithm of a pattern over six decades below its maximum, and density over its maximum.

    Args:
        patterns: File of patterns with the image ``density``.
        frames: Indices of the patterns in the file.
        captions: Text above each pair.
    """
    index = np.asarray(frames)
    mask, density = patterns.read_mask(index), patterns.read_image(DENSITY, index)
    pattern = _decades(patterns.read_stored(index), mask)
    tall = pattern.shape[1] / pattern.shape[2]
    rows, pair = -(-len(index) // PAIRS), 2 + _GAP
    width, height = PAIRS * (pair + 2 * _GAP), rows * (_HEAD + tall + _GAP)
    inches = _WIDTH * height / width + _FOOT
    with figure(_WIDTH, inches, layout="none") as picture:
        _draw_scales(picture, inches)
        axes = picture.add_axes((0, _FOOT / inches, 1, 1 - _FOOT / inches))
        for i, caption in enumerate(captions):
            x, y = i % PAIRS * (pair + 2 * _GAP) + _GAP, i // PAIRS * (_HEAD + tall + _GAP) + _HEAD
            for image, left, (colours, low, _) in zip((pattern[i], density[i]), (x, x + 1 + _GAP), SCALES, strict=True):
                shades = mpl.colormaps[colours].with_extremes(bad=MASKED)
                box = (left, left + 1, y + tall, y)
                axes.imshow(image, cmap=shades, vmin=low, vmax=low + max(1, -low), extent=box, aspect="auto")
                axes.add_patch(Rectangle((left, y), 1, tall, fill=False, edgecolor=INK, linewidth=0.6))
            axes.text(x + pair / 2, y - 0.03, caption, ha="center", va="bottom", fontsize=8, color=INK)
        axes.set(xlim=(0, width), ylim=(height, 0))
        axes.axis("off")
    return picture


def _draw_scales(picture: Figure, inches: float) -> None:
    """Colour bars at the bottom: of the patterns, left, and of the densities, right."""
    for left, (colours, low, words) in zip((0.14, 0.62), SCALES, strict=True):
        bar_axes = picture.add_axes((left, 0.34 / inches, 0.24, 0.1 / inches))
        shades = ScalarMappable(Normalize(low, low + max(1, -low)), colours)
        bar = picture.colorbar(shades, cax=bar_axes, orientation="horizontal")
        bar.set_label(words, fontsize=8, labelpad=1)
        bar.ax.tick_params(labelsize=8, length=2, pad=1)


def _decades(intensity: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """log10 of intensity over its maximum, from -6 to 0; NaN where not measured."""
    top = np.maximum(intensity.max(axis=(1, 2), keepdims=True), 1e-30)
    logarithm = np.log10(np.maximum(intensity / top, 10.0**-_DECADES))
    return np.where(mask, logarithm, np.nan).astype(np.float32)
