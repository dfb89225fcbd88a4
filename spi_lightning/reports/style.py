"""Style of all figures: colours that the colour-blind can distinguish, and figures as data URIs."""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from spi_lightning.printable import printable

from .page import Tile, base64_of

SINGLE, OTHER, UNKNOWN, INK = "#0072B2", "#D55E00", "#8a8f98", "#1f2933"
EMPTY = "#d5d9de"
METHOD_COLOURS = (
    "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#D55E00", "#7f6000", "#000000",
    "#882255", "#8a8f98", "#332288", "#999933",
)  # fmt: skip
NORMALS = ("normal to z", "normal to y", "normal to x")  # titles of the central planes of a volume
MASKED, CENTRE = "#7d8590", "#39ff14"
PHOTON_COLOURS = mpl.colormaps["inferno"].with_extremes(bad=MASKED)

# Colours of phases from -pi to pi, in slices and on surfaces: twilight, shifted by a quarter of its range. Phases near
# 0, those of most of a crystal without its constant phase, are blue instead of nearly black or white.
_TWILIGHT = np.asarray(mpl.colormaps["twilight"](np.linspace(0, 1, 256, endpoint=False)))
PHASE_COLOURS = ListedColormap(np.roll(_TWILIGHT, 64, axis=0), name="phase")
PHASE_TICKS = ((-np.pi, -np.pi / 2, 0.0, np.pi / 2, np.pi), ("−π", "−π/2", "0", "π/2", "π"))


class DisplayedFigure(Figure):
    """Figure that a notebook displays without pyplot and its backends."""

    def _repr_png_(self) -> bytes:
        return _bytes(self, "png", dpi=_NOTEBOOK_DPI)


_NOTEBOOK_DPI = 90
_LONGEST_SVG = 200_000  # characters
_FORMULAS = (r"$\mathdefault{", r"$\beta$", "$q_", "$r_p$", "$P_r$", "$10^{")  # ours, and those of ticks

_SETTINGS: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.edgecolor": "#5c6773",
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e8ec",
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "text.color": INK,
    "xtick.color": "#5c6773",
    "ytick.color": "#5c6773",
    "svg.hashsalt": "spi_lightning",  # the same figure gives the same bytes
    "svg.fonttype": "path",
}


def phase_bar(picture: Figure, drawn: Any, panels: Sequence[Any], label: str = "phase (rad)", **layout: Any) -> None:
    """Add a colour bar of phases beside panels, with ticks in parts of pi.

    Args:
        picture: Figure of the panels.
        drawn: Image or mapping of colours that the bar is of.
        panels: Axes beside which the bar stands.
        label: Label of the bar.
        **layout: Options of Figure.colorbar, such as shrink and pad.
    """
    bar = picture.colorbar(drawn, ax=list(panels), **layout)
    bar.set_label(label)
    bar.set_ticks(list(PHASE_TICKS[0]), labels=list(PHASE_TICKS[1]))


@contextmanager
def figure(width: float = 5.4, height: float = 4.2, layout: Any = "constrained") -> Iterator[Figure]:
    """Figure in the style of the package, without a window; ``$`` in names is text, not a formula.

    Args:
        width, height: Size of the figure, inches.
        layout: Layout engine of matplotlib.
    """
    with mpl.rc_context(_SETTINGS):
        picture = DisplayedFigure(figsize=(width, height), layout=layout)
        yield picture
        _escape_names(picture)


def _escape_names(picture: Figure) -> None:
    """Parse only the formulas of this package as formulas: a method may be called ``a$x^$b``."""
    for axes in picture.axes:
        for axis in (axes.xaxis, axes.yaxis):
            labels = [label.get_text() for label in axis.get_ticklabels()]
            if any(label != _plain(label) for label in labels):  # tick labels that are set from a list
                axis.set_ticklabels([_plain(label) for label in labels])
    for text in picture.findobj(Text):
        assert isinstance(text, Text)
        text.set_text(_plain(text.get_text()))
        if "$" in text.get_text() and not any(formula in text.get_text() for formula in _FORMULAS):
            text.set_parse_math(False)


def _plain(words: str) -> str:
    return "\n".join(printable(line) for line in words.split("\n"))


def as_picture(picture: Figure) -> str:
    """Figure as data URI: an SVG, or a PNG where many points would make the SVG long."""
    vectors = as_svg(picture)
    return vectors if len(vectors) <= _LONGEST_SVG else _few_colours(_bytes(picture, "png", dpi=120))


def _few_colours(content: bytes) -> str:
    """Data URI of a PNG with a palette, a fifth of the length for clouds of points."""
    return png_uri(Image.open(io.BytesIO(content)).convert("RGB").quantize(96))


def as_svg(picture: Figure) -> str:
    """Figure as data URI of an SVG, for lines and few points."""
    return _uri("image/svg+xml", _bytes(picture, "svg", metadata={"Date": None}))


def as_png(picture: Figure, dots_per_inch: int = 160) -> str:
    """Figure as data URI of a PNG, for images and many points."""
    return _uri("image/png", _bytes(picture, "png", dpi=dots_per_inch))


def as_tiles(picture: Figure, dots_per_inch: int = 160) -> list[Tile]:
    """Wide figure as PNG, cut between its columns of panels and colour bars, which narrow screens wrap."""
    whole = Image.open(io.BytesIO(_bytes(picture, "png", dpi=dots_per_inch)))
    renderer = FigureCanvasAgg(picture).get_renderer()  # type: ignore[no-untyped-call]
    boxes = [box for axes in picture.axes if (box := axes.get_tightbbox(renderer)) is not None]
    ends: list[tuple[float, float]] = []
    for left, right in sorted((box.x0 / picture.bbox.width, box.x1 / picture.bbox.width) for box in boxes):
        if ends and left <= ends[-1][1]:
            ends[-1] = (ends[-1][0], max(ends[-1][1], right))
        else:
            ends.append((left, right))
    inner = [(before[1] + after[0]) / 2 for before, after in pairwise(ends)]
    cuts = [0, *(round(whole.width * each) for each in inner), whole.width]
    tiles = []
    for left, right in pairwise(cuts):
        part = whole.crop((left, 0, right, whole.height))
        tiles.append(Tile(png_uri(part), round((right - left) / whole.width, 5)))
    return tiles


def png_uri(image: Image.Image) -> str:
    """Image as data URI of an optimised PNG."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return _uri("image/png", buffer.getvalue())


def _bytes(picture: Figure, form: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    _escape_names(picture)
    with mpl.rc_context(_SETTINGS):
        picture.savefig(buffer, format=form, **options)
    return buffer.getvalue()


def _uri(media_type: str, content: bytes) -> str:
    return f"data:{media_type};base64,{base64_of(content)}"
