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
from spi_lightning.physics.bragg.laboratory import FRAME, SIGN, TWIN, LaboratoryCrystal, firm
from spi_lightning.reports.volumes.slices import box_with_margin, length_bar

from .page import Lines, Picture, Section, Surface, Table
from .style import INK, as_tiles, figure
from .surfaces import MOST_VERTICES, object_surface

Array = NDArray[Any]
_NORMALS = ("normal to z (beam)", "normal to y (up)", "normal to x (outboard)")
_LIMIT = 98.0  # percentile of the absolute values at which a colour scale ends
_DIRECTIONS = (("y →", "x →"), ("z →", "x →"), ("y →", "z →"))  # upwards and to the right


_TITLE = "Laboratory frame"
AMPLITUDE_PHASE, DISPLACEMENT_STRAIN = ("amplitude", "phase"), ("displacement", "strain")
_CAPTION = (
    "Laboratory frame, planes through the crystal's centre of mass. Outside the support only the amplitude is drawn; "
    "the phase is unwrapped, without ramp and constant."
)


def laboratory_sections(paths: Sequence[Path], most: int = MOST_VERTICES, in_3d: bool = True) -> list[Section]:
    """Section with the crystals of .npz files of io.write_laboratory: in 3D, their maps, and their frame.

    Args:
        paths: Files of the crystals; missing ones are left out.
        most: Largest number of vertices of each surface.
        in_3d: Whether to add surfaces; else they stand elsewhere, see laboratory_surfaces.

    Returns:
        One section; none if no file exists.
    """
    crystals = _read(paths)
    if not crystals:
        return []
    views = laboratory_surfaces(paths, most) if in_3d else []
    maps = [
        crystal_picture(crystal, rows, name)
        for name, crystal in crystals.items()
        for rows in (AMPLITUDE_PHASE, DISPLACEMENT_STRAIN)
    ]
    return [Section(_TITLE, [*views, *maps, *_frame(next(iter(crystals.values())))])]


def laboratory_surfaces(paths: Sequence[Path], most: int = MOST_VERTICES) -> list[Surface]:
    """Surfaces of the crystals of .npz files of io.write_laboratory, as laboratory_sections takes them."""
    return [crystal_surface(crystal, name, most) for name, crystal in _read(paths).items()]


def _read(paths: Sequence[Path]) -> dict[str, LaboratoryCrystal]:
    """Crystals of the files that exist, by their titles; a single one without a title."""
    found = [read_laboratory(path) for path in paths if path.is_file()]
    return {title if len(found) > 1 else "": crystal for crystal, title in found}


def laboratory_section(crystal: LaboratoryCrystal) -> Section:
    """Section with displacement and strain of a crystal whose amplitude and phase stand elsewhere, and its frame."""
    return Section(_TITLE, [crystal_picture(crystal, DISPLACEMENT_STRAIN), *_frame(crystal)])


def _frame(crystal: LaboratoryCrystal) -> list[Table | Lines]:
    """Geometry of the transformation, and what its axes and signs mean."""
    geometry = [[name, text] for name, text in crystal.about.items()]
    return [
        Table(["", "value"], geometry, "Geometry of the transformation.", numeric=False),
        Lines([f"Frame: {FRAME}.", f"Sign: {SIGN}.", f"Twin: {TWIN}."]),
    ]


def crystal_surface(crystal: LaboratoryCrystal, name: str = "", most: int = MOST_VERTICES) -> Surface:
    """Surface of a crystal in the laboratory frame, coloured by its phase.

    Args:
        crystal: Crystal in the laboratory frame, (z, y, x) amplitude and phase.
        name: Name of its method; empty where there is one crystal.
        most: Largest number of vertices.
    """
    density = (crystal.amplitude * torch.exp(1j * crystal.phase)).numpy()
    title = f"{name}: crystal in 3D" if name else "Crystal in 3D"
    caption = "Laboratory frame: z downstream along the beam, y up, x outboard."
    return object_surface(density, np.full(3, crystal.voxel_size), title, most, caption=caption)


def crystal_picture(crystal: LaboratoryCrystal, maps: Sequence[str], name: str = "") -> Picture:
    """Captioned picture of some maps of a crystal.

    Args:
        crystal: Crystal in the laboratory frame, (z, y, x) amplitude and phase.
        maps: Rows of the figure: ``amplitude``, ``phase``, ``displacement``, ``strain``.
        name: Name of its method; empty where there is one crystal.
    """
    title = f"{' and '.join(maps).capitalize()}" + (" along Q" if "strain" in maps else "")
    return Picture(as_tiles(crystal_figure(crystal, maps)), f"{name}: {title}" if name else title, _CAPTION, wide=True)


def crystal_figure(crystal: LaboratoryCrystal, maps: Sequence[str]) -> Figure:
    """Maps of a crystal, one a row, in the three planes through its centre of mass; see crystal_picture."""
    support, nm = crystal.support.numpy(), 1e9 * crystal.voxel_size
    window, middle = box_with_margin(support), [round(float(index.mean())) for index in np.nonzero(support)]
    edges = [each.stop - each.start for each in window]
    widths, heights = [edges[2], edges[2], edges[0]], [edges[1], edges[0], edges[1]]
    inch, rows = min(8.2 / sum(widths), 3.2 / max(heights)), len(maps)
    with figure(inch * sum(widths) + 2.6, rows * (inch * max(heights) + 0.3) + 0.4) as picture:
        panels = picture.subplots(rows, 3, width_ratios=widths, squeeze=False)
        for row, name in enumerate(maps):
            label, values, colours, low, high = _scaled(crystal, name)
            for normal, axes in enumerate(panels[row]):
                plane, inside = (_plane(each, normal, middle, window) for each in (values, support))
                inner = plane if name == "amplitude" else np.where(inside, plane, np.nan)
                drawn = axes.imshow(inner, cmap=colours, vmin=low, vmax=high, interpolation="nearest")
                axes.set_facecolor("#eef1f4")
                axes.set(xticks=[], yticks=[])
                axes.spines[:].set_visible(False)
                axes.grid(False)
                colour = "white" if name == "amplitude" else INK
                length_bar(axes, nm, "nm", (plane.shape[0], plane.shape[1]), colour)
                axes.set_ylabel(_DIRECTIONS[normal][0], fontsize=9)
                if row == 0:
                    axes.set_title(_NORMALS[normal], fontsize=10)
                if row == rows - 1:
                    axes.set_xlabel(_DIRECTIONS[normal][1], fontsize=9)
            picture.colorbar(drawn, ax=list(panels[row]), shrink=0.85, pad=0.02, aspect=16).set_label(label)
    return picture


def _scaled(crystal: LaboratoryCrystal, name: str) -> tuple[str, Array, str, float, float]:
    """Label with unit, values, colour map and colour limits of a map."""
    if name == "amplitude":
        return "amplitude / maximum", crystal.amplitude.numpy(), "viridis", 0.0, 1.0
    if name == "phase":
        phase = crystal.phase.numpy()
        return "phase (rad)", phase, "RdBu_r", *_limits(phase, crystal)
    if name == "displacement":
        moved = 1e12 * crystal.displacement.numpy()
        return "displacement\nalong Q (pm)", moved, "RdBu_r", *_limits(moved, crystal)
    strain = crystal.strain.numpy()
    power = int(np.floor(np.log10(_limits(strain, crystal)[1])))
    scaled = strain * 10.0**-power
    return f"strain along Q\n($10^{{{power}}}$)", scaled, "PuOr_r", *_limits(scaled, crystal)


def _limits(values: Array, crystal: LaboratoryCrystal) -> tuple[float, float]:
    """Colour limits about 0 that hold 98 % of the values in firm voxels: at edges phases may be off by much."""
    most = max(float(np.percentile(np.abs(values[firm(crystal).numpy()]), _LIMIT)), 1e-12)
    return -most, most


def _plane(values: Array, normal: int, middle: Sequence[int], window: Sequence[slice]) -> Array:
    """Plane through the centre in the orientation of the laboratory, y upwards; see _DIRECTIONS."""
    cut = tuple(each for axis, each in enumerate(window) if axis != normal)
    plane: Array = values.take(middle[normal], normal)[cut]
    if normal == 2:
        plane = plane.T
    return plane[::-1]
