"""Contact sheet of an experiment: frames beside their labels, to see whether a physicist could tell."""

from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from spi_lightning.fields import KIND, Kind
from spi_lightning.files import atomic_write
from spi_lightning.io import PatternFile

from .frames import BLANK

_CELLS: Final = 6  # of a speckle
_WINDOW: Final = 96  # cells along the edge of a picture


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
        photons, mask = patterns.read([frame])[0], patterns.read_mask([frame])[0]
        cells = binned(np.where(mask, photons, np.nan), beam, max(1, round(speckle / _CELLS)))
        axes.imshow(np.log1p(cells), cmap="inferno", interpolation="nearest")
        kind = int(patterns.labels[KIND][frame])
        name = "blank" if kind == BLANK else Kind(kind).name.lower()
        axes.set_title(f"{frame}: {name}, {photons[mask].sum():.0f}", fontsize=8, color="g" if kind == 0 else "k")
        axes.set_axis_off()
    with atomic_write(path) as part:
        sheet.savefig(part, format="png", dpi=90)


def binned(photons: NDArray[np.float64], beam: tuple[float, float], bin: int) -> NDArray[np.float64]:
    """Window of cells around the beam: sums of bin x bin pixels (NaN: not measured), NaN beyond the frame."""
    half = bin * _WINDOW // 2
    row, column = (round(place) for place in beam)
    window = np.pad(photons, half, constant_values=np.nan)[row : row + 2 * half, column : column + 2 * half]
    return np.asarray(window.reshape(_WINDOW, bin, _WINDOW, bin).sum((1, 3)))
