"""Galleries of patterns: photons on a logarithmic scale, with beam centre and mask."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colorbar import Colorbar
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from numpy.typing import NDArray

from spi_lightning.fields import BEAM_CENTRE
from spi_lightning.io.patterns.pattern_file import PatternFile
from spi_lightning.reports.style import CENTRE, INK, PHOTON_COLOURS, figure
from spi_lightning.results.hit_pictures import Gallery

COLUMNS = 6
_WIDTH, _PANELS = 10.8, 0.935  # inches of all panels together, and their share of the figure
_GAP, _HEAD = 0.04, 0.13  # between panels and above each, in panel widths
_LARGEST_EDGE = 256
LEAST = 0.5  # photons; none is drawn as this many
_SHORT_RANGE, _PLAIN, _MOST_TICKS = 50, 1e4, 30  # photons; photons; of a colour bar


@dataclass(frozen=True)
class Caption:
    """Text above a panel, and the colour of text and frame."""

    text: str
    colour: str = INK


def collect_gallery(
    patterns: PatternFile,
    choices: dict[str, NDArray[np.int64]],
    beam_centre: NDArray[np.float32] | None = None,
    whole: bool = True,
) -> Gallery:
    """Read the chosen frames once, binned so that no edge exceeds 256 pixels.

    Args:
        patterns: File of the frames.
        choices: Title -> (n,) indices of the frames.
        beam_centre: (N, 2) row, column in pixels of the file; None: those of the file, if there are any.
        whole: Whether photons must be whole numbers; those of a canonical frame need not.
    """
    read = patterns.read if whole else patterns.read_stored
    frame = np.unique(np.concatenate(list(choices.values()))) if choices else np.empty(0, dtype=np.int64)
    shared = None if patterns.masks_differ else patterns.shared_mask
    size = -(-max(patterns.shape[1:]) // _LARGEST_EDGE)
    pieces = np.array_split(frame, -(-len(frame) // patterns.frames_at_once()) or 1)
    centre = _centres(patterns, beam_centre)[frame]
    return Gallery(
        choices=choices,
        frame=frame,
        photons=np.concatenate([_bin(read(piece), size).astype(np.float32) for piece in pieces]),
        mask=np.concatenate([_bin(patterns.read_mask(piece), size) > 0 for piece in pieces])
        if shared is None
        else _bin(shared[None], size)[0] > 0,
        beam_centre=((centre - (size - 1) / 2) / size).astype(np.float32),
        binned=size,
    )


def gallery_figure(gallery: Gallery, frames: Sequence[int], captions: Sequence[Caption]) -> Figure:
    """Panels of stored frames on one logarithmic scale, masked pixels in grey, the beam centre as a green cross.

    All panels lie in one Axes, in units of a panel's width, which draws many times faster than an Axes for each.
    """
    photons, mask, centre = gallery.of(frames)
    norm = photon_norm(photons, mask)
    tall = photons.shape[1] / photons.shape[2]
    total = -(-len(frames) // COLUMNS) * (_HEAD + tall) + _GAP
    inches = _WIDTH * total / (COLUMNS * (1 + _GAP))
    with figure(_WIDTH / _PANELS, inches, layout="none") as picture:
        axes = picture.add_axes((0, 0, _PANELS, 1))
        for i, caption in enumerate(captions):
            corner = (i % COLUMNS * (1 + _GAP), i // COLUMNS * (_HEAD + tall) + _HEAD)
            _panel(axes, np.where(mask[i], photons[i], np.nan), centre[i], corner, caption, norm)
        axes.set(xlim=(-_GAP / 2, COLUMNS * (1 + _GAP) - _GAP / 2), ylim=(total, 0))
        axes.axis("off")
        bar = picture.add_axes((_PANELS + 0.004, 0.15 / inches, 0.011, 1 - 0.4 / inches))
        _label_logarithms(picture.colorbar(mpl.cm.ScalarMappable(norm, PHOTON_COLOURS), cax=bar), norm)
        bar.set_ylabel(gallery.unit, fontsize=8)
        bar.tick_params(labelsize=8)
    return picture


def photon_norm(photons: NDArray[np.float32], mask: NDArray[np.bool_]) -> LogNorm:
    """Logarithmic scale from 0.5 photons, as many as none is drawn as, to the largest measured one, at least 2."""
    return LogNorm(LEAST, max(2.0, float(np.where(mask, photons, 0).max(initial=0))), clip=True)


def _label_logarithms(bar: Colorbar, norm: LogNorm) -> None:
    """Label powers of ten, and in short ranges 2 and 5 between them."""
    steps = (1.0, 2.0, 5.0) if float(norm.vmax or 1) < _SHORT_RANGE else (1.0,)
    bar.locator = LogLocator(subs=steps, numticks=_MOST_TICKS)
    bar.formatter = FuncFormatter(lambda n, _: f"{n:g}" if n < _PLAIN else f"$10^{{{np.log10(n):.0f}}}$")
    bar.minorlocator, bar.minorformatter = LogLocator(subs="all", numticks=_MOST_TICKS), NullFormatter()
    bar.update_ticks()


def _panel(
    axes: Axes,
    photons: NDArray[np.float32],
    centre: NDArray[np.float32],
    corner: tuple[float, float],
    caption: Caption,
    norm: LogNorm,
) -> None:
    (height, width), (x, y) = photons.shape, corner
    box = (x, x + 1, y + height / width, y)
    axes.imshow(
        np.maximum(photons, LEAST), norm=norm, cmap=PHOTON_COLOURS, interpolation="nearest", extent=box, aspect="auto"
    )
    if np.isfinite(centre).all():
        row, column = (centre + 0.5) / width
        axes.plot(x + column, y + row, "+", color=CENTRE, markersize=15, markeredgewidth=0.9)
    axes.add_patch(Rectangle((x, y), 1, height / width, fill=False, edgecolor=caption.colour, linewidth=2))
    axes.text(x + 0.5, y - 0.03, caption.text, ha="center", va="bottom", fontsize=8, color=caption.colour)


def _centres(patterns: PatternFile, found: NDArray[np.float32] | None) -> NDArray[np.float32]:
    """(N, 2) beam centres: those found, else of the labels or the geometry of the file, else NaN."""
    known = found if found is not None else patterns.labels.get(BEAM_CENTRE, patterns.geometry.get(BEAM_CENTRE))
    if known is None:
        known = np.full(2, np.nan)
    return np.broadcast_to(np.asarray(known, dtype=np.float32), (len(patterns), 2))


def _bin(image: NDArray[Any], size: int) -> NDArray[Any]:
    """(n, H, W) -> (n, ceil(H / size), ceil(W / size)) sums of squares of pixels."""
    if size == 1:
        return image
    count, height, width = image.shape
    padded = np.pad(image, ((0, 0), (0, -height % size), (0, -width % size)))
    squares = padded.reshape(count, -(-height // size), size, -(-width // size), size)
    binned: NDArray[Any] = squares.sum(axis=(2, 4))
    return binned
