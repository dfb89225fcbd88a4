"""Section of a page on a crystal in the laboratory frame: slices of displacement and strain, and the geometry."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from spi_lightning.io.volumes.laboratory_file import read_laboratory
from spi_lightning.physics.bragg.laboratory import FRAME, SIGN, TWIN, LaboratoryCrystal
from spi_lightning.reports.volumes.slices import length_bar

from .page import Lines, Picture, Section, Surface, Table
from .style import INK, as_png, figure
from .surfaces import object_surface

Array = NDArray[Any]
_NORMALS = ("normal to z (beam)", "normal to y (up)", "normal to x (outboard)")
_AROUND = 2  # voxels drawn around the crystal
_LIMIT = 98.0  # percentile of the absolute values at which a colour scale ends
_DIRECTIONS = (("y →", "x →"), ("z →", "x →"), ("y →", "z →"))  # upwards and to the right


def laboratory_sections(paths: Sequence[Path], turning: bool = False) -> list[Section]:
    """Section with the crystals of .npz files that io.write_laboratory made; empty if no file exists.

    Args:
        paths: Files of the crystals; missing ones are left out.
        turning: Whether to add surfaces that can be rotated; the page then holds plotly.
    """
    found = [read_laboratory(path) for path in paths if path.is_file()]
    if not found:
        return []
    blocks: list[Picture | Surface | Table | Lines] = []
    for crystal, title in found:
        caption = f"{title}. Planes through the crystal's centre of mass; outside the support nothing is drawn."
        head = "Displacement and strain along Q" + (f": {title.partition(',')[0]}" if len(found) > 1 else "")
        blocks.append(Picture(as_png(crystal_figure(crystal)), head, caption, wide=True))
    if turning:
        blocks += [_surface(crystal, title) for crystal, title in found]
    geometry = [[name, text] for name, text in found[0][0].about.items()]
    blocks.append(Table(["", "value"], geometry, "Geometry of the transformation.", numeric=False))
    blocks.append(Lines([f"Frame: {FRAME}.", f"Sign: {SIGN}.", f"Twin: {TWIN}."]))
    return [Section("Laboratory frame", blocks)]


def _surface(crystal: LaboratoryCrystal, title: str) -> Surface:
    density = (crystal.amplitude * torch.exp(1j * crystal.phase)).numpy()
    return object_surface(density, np.full(3, crystal.voxel_size), title)


def crystal_figure(crystal: LaboratoryCrystal) -> Figure:
    """Amplitude, displacement (pm) and strain in the three planes through the centre of mass."""
    support, nm = crystal.support.numpy(), 1e9 * crystal.voxel_size
    window, middle = _window(support), [round(float(index.mean())) for index in np.nonzero(support)]
    edges = [each.stop - each.start for each in window]
    widths, heights = [edges[2], edges[2], edges[0]], [edges[1], edges[0], edges[1]]
    inch = min(8.2 / sum(widths), 3.2 / max(heights))
    with figure(inch * sum(widths) + 2.6, 3 * (inch * max(heights) + 0.3) + 0.4) as picture:
        panels = picture.subplots(3, 3, width_ratios=widths, squeeze=False)
        for row, (label, values, colours, low, high) in enumerate(_maps(crystal)):
            for normal, axes in enumerate(panels[row]):
                plane, inside = (_plane(each, normal, middle, window) for each in (values, support))
                inner = np.where(inside, plane, np.nan) if row else plane
                drawn = axes.imshow(inner, cmap=colours, vmin=low, vmax=high, interpolation="nearest")
                axes.set_facecolor("#eef1f4")
                axes.set(xticks=[], yticks=[])
                axes.spines[:].set_visible(False)
                axes.grid(False)
                length_bar(axes, nm, "nm", (plane.shape[0], plane.shape[1]), INK if row else "white")
                axes.set_ylabel(_DIRECTIONS[normal][0], fontsize=8)
                if row == 0:
                    axes.set_title(_NORMALS[normal], fontsize=9)
                if row == 2:
                    axes.set_xlabel(_DIRECTIONS[normal][1], fontsize=8)
            picture.colorbar(drawn, ax=list(panels[row]), shrink=0.85, pad=0.02, aspect=16).set_label(label)
    return picture


def _maps(crystal: LaboratoryCrystal) -> list[tuple[str, Array, str, float, float]]:
    """Label with unit, values, colour map and colour limits of each row."""
    inside = crystal.support.numpy()
    displacement, strain = 1e12 * crystal.displacement.numpy(), crystal.strain.numpy()
    most, steepest = (max(float(np.percentile(np.abs(each[inside]), _LIMIT)), 1e-12) for each in (displacement, strain))
    power = int(np.floor(np.log10(steepest)))
    scaled, steepest = strain * 10.0**-power, steepest * 10.0**-power
    return [
        ("amplitude / maximum", crystal.amplitude.numpy(), "viridis", 0.0, 1.0),
        ("displacement\nalong Q (pm)", displacement, "RdBu_r", -most, most),
        (f"strain along Q\n($10^{{{power}}}$)", scaled, "PuOr_r", -steepest, steepest),
    ]


def _plane(values: Array, normal: int, middle: Sequence[int], window: Sequence[slice]) -> Array:
    """Plane through the centre in the orientation of the laboratory, y upwards; see _DIRECTIONS."""
    cut = tuple(each for axis, each in enumerate(window) if axis != normal)
    plane: Array = values.take(middle[normal], normal)[cut]
    if normal == 2:
        plane = plane.T
    return plane[::-1]


def _window(support: Array) -> list[slice]:
    slices = []
    for axis in range(3):
        on = np.flatnonzero(support.any(axis=tuple(other for other in range(3) if other != axis)))
        slices.append(slice(max(0, int(on[0]) - _AROUND), min(support.shape[axis], int(on[-1]) + _AROUND + 1)))
    return slices
