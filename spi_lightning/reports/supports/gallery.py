"""Galleries of supports: a column for each pattern with its intensity, truth, and the answer of each method."""

import textwrap
from typing import Any

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from spi_lightning.metrics.supports.support_overlap import aligned
from spi_lightning.physics.array import box_about_origin, reach
from spi_lightning.reports.style import MASKED, UNKNOWN, figure
from spi_lightning.results.supports import MethodResult, SupportResult

Panels = tuple[str, NDArray[Any]]  # label of a row, and an image of each pattern
INSIDE, EXTRA, MISSED = "#b3bcc6", "#E69F00", "#0072B2"
_PANEL, _LEFT, _HEAD, _FOOT = 1.42, 1.75, 0.42, 0.32  # inches


def supports_gallery(result: SupportResult, rows: NDArray[np.int64]) -> Figure:
    """Columns of patterns: intensity, true density, and density and support of each method.

    Answers are compared with a known truth at the shift, and in the twin, of largest overlap; colours mark pixels in
    both, in the answer only, and in the truth only.

    Args:
        result: Result of an evaluation of supports.
        rows: (n,) int64 rows of the answers, among the stored ones.
    """
    stored = np.searchsorted(result.displayed.row, rows)
    known = result.truth is not None and result.displayed.density is not None
    panels: list[Panels] = [("intensity", _intensity(result, stored))]
    truth = result.truth[rows] if result.truth is not None else None
    if known and result.displayed.density is not None:
        panels.append(("true density", result.displayed.density[stored]))
    for method in result.methods:
        panels += _of_method(method, rows, truth)
    boxes = [_box(result, int(row)) for row in rows]
    height = _HEAD + len(panels) * _PANEL + _FOOT
    with figure(_LEFT + len(rows) * _PANEL, height, layout="none") as picture:
        for line, (name, images) in enumerate(panels):
            bottom = (height - _HEAD - (line + 1) * _PANEL) / height
            picture.text((_LEFT - 0.1) / (_LEFT + len(rows) * _PANEL), bottom + 0.5 * _PANEL / height, name, _LABEL)
            for column, image in enumerate(images):
                corner = ((_LEFT + column * _PANEL) / (_LEFT + len(rows) * _PANEL), bottom)
                edges = (0.96 * _PANEL / (_LEFT + len(rows) * _PANEL), 0.96 * _PANEL / height)
                axes = picture.add_axes((*corner, *edges))
                _panel(axes, name, image if line == 0 else image[boxes[column]])
                if line == 0:
                    axes.set_title(_title(result, int(rows[column])), fontsize=8, pad=3)
        _legend(picture, known)
    return picture


_LABEL: dict[str, Any] = {"ha": "right", "va": "center", "fontsize": 9}


def _intensity(result: SupportResult, stored: NDArray[np.int64]) -> NDArray[np.float64]:
    """Intensities (n, H, W) over the maximum of each, NaN where not measured."""
    values = np.where(result.displayed.mask[stored], result.displayed.intensity[stored], np.nan).astype(np.float64)
    top = np.nanmax(np.where(np.isnan(values), 0, values), axis=(1, 2), keepdims=True)
    relative: NDArray[np.float64] = values / np.maximum(top, 1e-30)
    return relative


def _of_method(method: MethodResult, rows: NDArray[np.int64], truth: NDArray[np.bool_] | None) -> list[Panels]:
    """Rows of a method: density if there is one, and support, 1 in both, 2 in the answer only, 3 in the truth only."""
    support, name = method.support[rows], textwrap.fill(method.name.replace("_", " "), 22)
    panels: list[Panels] = []
    density = None if method.density is None else method.density[rows].astype(np.float32)
    if truth is not None:
        target = torch.from_numpy(truth)
        support = aligned(torch.from_numpy(support), target).numpy()
        density = None if density is None else aligned(torch.from_numpy(density), target).numpy()
    if density is not None:
        panels.append((f"{name}:\ndensity or score", density))
    coded = support.astype(np.int64)
    if truth is not None:
        coded = np.where(support & ~truth, 2, np.where(truth & ~support, 3, coded))
    panels.append((f"{name}:\nsupport" if density is not None else name, coded))
    return panels


def _box(result: SupportResult, row: int) -> tuple[slice, slice]:
    """Square around n // 2 with all supports of a pattern, at most twice as wide as the true one, within the frame."""

    def widest(image: NDArray[np.bool_]) -> int:
        return max(3, *reach(torch.from_numpy(image), 2))

    far = max(widest(method.support[row]) for method in result.methods)
    if result.truth is not None:
        far = min(far, max(2 * widest(result.truth[row]), 8))
    rows, columns = box_about_origin(result.primary_method.support.shape[1:], far + 2)
    return rows, columns


def _panel(axes: Axes, name: str, image: NDArray[Any]) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(False)
    if name == "intensity":
        colours = mpl.colormaps["inferno"].with_extremes(bad=MASKED)
        axes.imshow(np.maximum(image, 1e-6), norm=LogNorm(1e-6, 1), cmap=colours, interpolation="nearest")
    elif image.dtype.kind == "f":
        axes.imshow(image, cmap="Greys", vmin=0, vmax=max(float(image.max()), 1e-6), interpolation="nearest")
    else:
        axes.imshow(
            image, cmap=ListedColormap(["white", INSIDE, EXTRA, MISSED]), vmin=0, vmax=3, interpolation="nearest"
        )
    for spine in axes.spines.values():
        spine.set(visible=True, color=UNKNOWN, linewidth=0.6)


def _title(result: SupportResult, row: int) -> str:
    structure = f" · {result.name_of(int(result.structure[row]))}" if result.structure[row] >= 0 else ""
    if result.truth is None:
        return f"#{result.frame[row]}{structure}"
    return f"#{result.frame[row]}{structure}\n{int(result.truth[row].sum())} px"


def _legend(picture: Figure, known: bool) -> None:
    words = ("in both", "in the answer only (false positive)", "in the truth only (false negative)")
    colours = (INSIDE, EXTRA, MISSED)
    patches = [Patch(color=colour, label=word) for colour, word in zip(colours, words, strict=True)]
    if known:
        picture.legend(handles=patches, loc="lower center", ncols=3, fontsize=8.5, borderaxespad=0.1)
