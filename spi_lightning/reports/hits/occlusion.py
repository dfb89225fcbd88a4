"""Occlusion maps of the log odds of a single hit, below their patterns."""

import matplotlib as mpl
import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from spi_lightning.reports.style import MASKED, figure
from spi_lightning.results.hit_pictures import Occlusion


def occlusion_figure(maps: Occlusion) -> Figure:
    """Figure of the patterns, and below them their occlusion maps."""
    frame, photons, mask, change = maps.frame, maps.photons, maps.mask, maps.change
    count = len(frame)
    limit = float(np.quantile(np.abs(change), 0.998)) or 1.0
    brightest = max(2.0, float(np.where(mask, photons, 0).max()))
    with figure(10.8, 2 * 10.0 / max(count, 4) + 0.6) as picture:
        axes = picture.subplots(2, max(count, 4), squeeze=False)
        for axis in axes.flat:
            axis.axis("off")
        inferno, diverging = (mpl.colormaps[colours].with_extremes(bad=MASKED) for colours in ("inferno", "PuOr_r"))
        for i in range(count):
            drawn = np.where(mask[i], np.maximum(photons[i], 0.5), np.nan)
            above = axes[0, i].imshow(drawn, norm=LogNorm(0.5, brightest), cmap=inferno, interpolation="nearest")
            below = axes[1, i].imshow(np.where(mask[i], change[i], np.nan), cmap=diverging, vmin=-limit, vmax=limit)
            axes[0, i].set_title(f"#{frame[i]}", fontsize=9)
        picture.colorbar(above, ax=axes[0], label="photons per pixel", shrink=0.9)
        picture.colorbar(below, ax=axes[1], label="decrease of log odds", shrink=0.9)
    return picture
