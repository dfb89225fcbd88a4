"""Contact sheet of an experiment: frames beside their labels, to see whether a physicist could tell."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from spi_lightning.fields import KIND, Kind
from spi_lightning.files import atomic_write
from spi_lightning.io import PatternFile

from .frames import BLANK
from .window import windows


def contact_sheet(
    path: Path, patterns: PatternFile, beam: tuple[float, float], speckle: float, frames: int = 24
) -> None:
    """Write a PNG of the first frames, summed so that a speckle is about six cells, log(1 + photons).

    Args:
        path: File of the picture.
        patterns: Frames with their kinds.
        beam: Row and column of the beam, pixel.
        speckle: Width of a speckle, pixel.
        frames: Number of frames.
    """
    sheet = Figure(figsize=(16, 2.2 * -(-frames // 8)), layout="constrained")
    for frame, axes in enumerate(sheet.subplots(-(-frames // 8), 8).flat[:frames]):
        photons, mask = (array[0] for array in windows(patterns, beam, speckle, np.array([frame])))
        axes.imshow(np.where(mask, np.log1p(photons), np.nan), cmap="inferno", interpolation="nearest")
        kind = int(patterns.labels[KIND][frame])
        name = "blank" if kind == BLANK else Kind(kind).name.lower()
        axes.set_title(f"{frame}: {name}, {photons.sum():.0f}", fontsize=8, color="g" if kind == 0 else "k")
        axes.set_axis_off()
    with atomic_write(path) as part:
        sheet.savefig(part, format="png", dpi=90)
