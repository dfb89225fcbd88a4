"""Figures of an orientation run: maps of the beam's directions, and slices through the merged intensity.

Maps are in the frame of the particle, in Hammer-Aitoff projection; slices are the central planes, and those that match
patterns best, beside these.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from spi_lightning.physics.rotations.orientations import (
    rotation_matrices,
    sphere_points,
    symmetry_group,
    viewing_directions,
)
from spi_lightning.reports.page import Picture
from spi_lightning.reports.style import PHOTON_COLOURS, as_png, as_tiles, figure
from spi_lightning.results.orientation import Examples, OrientationResult

Array = NDArray[np.float64]
_CELLS: Final = 4000
_KERNEL: Final = np.radians(8)
_LARGEST: Final = 210  # area of the largest circle, point^2


def map_pictures(result: OrientationResult) -> list[Picture]:
    """Captioned maps: circles of the sampled orientations, and their smoothed density."""
    copies = " Every orientation is drawn at all of its 60 equivalents." if result.symmetry == "icosahedral" else ""
    circles = (
        "Direction of the beam in the frame of the particle (Hammer-Aitoff projection). Circles: total probability of "
        f"every sampled orientation, from the ten most probable of each pattern; the radius grows with it.{copies}"
    )
    density = (
        "The same, smoothed by 8° and divided by the density of an even distribution: red is preferred, blue avoided."
    )
    return [
        Picture(as_png(circles_figure(result)), "Orientation probabilities", circles),
        Picture(as_png(density_figure(result)), "Density of orientations", density),
    ]


def directions(result: OrientationResult, symmetrise: bool = True) -> tuple[Array, Array, Array]:
    """Viewing directions (n, 3) ordered z, y, x, their P_r (n,) and weights (n,).

    Args:
        result: Orientations of the patterns.
        symmetrise: Whether every orientation stands at all of its equivalents.
    """
    direction = viewing_directions(torch.from_numpy(result.quaternion))
    if result.symmetry == "none" or not symmetrise:
        return direction.numpy(), result.probability, result.weight
    group = rotation_matrices(symmetry_group(result.symmetry))
    copies = torch.einsum("kij,rj->kri", group, direction).reshape(-1, 3).numpy()
    return copies, np.tile(result.probability / len(group), len(group)), np.tile(result.weight / len(group), len(group))


def circles_figure(result: OrientationResult) -> Figure:
    """Map of P_r: a circle at the viewing direction of every sampled orientation, whose radius grows with P_r.

    Source: Shi et al. (2019), Fig. S4.
    """
    direction, probability, _ = directions(result)
    order = np.argsort(probability)
    order = order[probability[order] > 1e-3 * probability.max()]
    longitude, latitude = _angles(direction[order])
    value = probability[order]
    with figure(5.8, 2.9) as picture:
        axes = _hammer(picture)
        area = np.maximum(_LARGEST * min(1.0, 2000 / len(order)) * (value / value.max()) ** 2, 0.3)
        norm = mpl.colors.Normalize(0, value.max())
        points = axes.scatter(
            longitude, latitude, s=area, c=value, cmap="viridis_r", norm=norm, alpha=0.75, linewidths=0
        )
        bar = picture.colorbar(points, ax=axes, shrink=0.9, pad=0.03)
        assert bar.solids is not None
        bar.solids.set_alpha(1)
        bar.set_label(r"$P_r$, patterns per orientation")
    return picture


def density_figure(result: OrientationResult) -> Figure:
    """Map of the density of orientations over that of an even distribution, smoothed by 8 degrees."""
    with figure(5.8, 2.9) as picture:
        _draw_density(picture, _hammer(picture), result)
    return picture


def draw_maps(sets: Mapping[str, OrientationResult], path: Path) -> None:
    """Write maps of the densities of some sets side by side, each under its title, as PNG."""
    with figure(6.6 * len(sets), 3.6) as picture:
        for number, (title, result) in enumerate(sets.items(), 1):
            axes = _hammer(picture, (1, len(sets), number))
            _draw_density(picture, axes, result)
            axes.set_title(title, pad=12)
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.savefig(path, dpi=140)


def _draw_density(picture: Figure, axes: Axes, result: OrientationResult) -> None:
    longitude, latitude = np.linspace(-np.pi, np.pi, 121), np.linspace(-np.pi / 2, np.pi / 2, 61)
    middle = [(edges[1:] + edges[:-1]) / 2 for edges in (longitude, latitude)]
    x, y = np.meshgrid(*middle)
    direction = np.stack([np.sin(y), np.cos(y) * np.sin(x), np.cos(y) * np.cos(x)], axis=-1)
    ratio = smoothed_density(result, direction.reshape(-1, 3)).reshape(x.shape)
    norm = TwoSlopeNorm(1, 0, max(2.0, float(ratio.max())))
    mesh = axes.pcolormesh(longitude, latitude, ratio, norm=norm, cmap="RdBu_r", rasterized=True)
    bar = picture.colorbar(mesh, ax=axes, shrink=0.9, pad=0.03)
    bar.set_label("density / even density")
    bar.set_ticks(_ticks(norm.vmax or 2.0))


def _ticks(top: float) -> list[float]:
    step = next(s for s in (0.5, 1, 2, 5, 10, 20, 50, 100, 1000) if (top - 1) / s < 5)
    return [0, 0.5, 1, *np.arange(1 + step, top + 1e-9, step).round(2)]


def smoothed_density(result: OrientationResult, at: Array) -> Array:
    """Observed over expected probability in a Gaussian neighbourhood of directions ``at``, (n, 3) -> (n,)."""
    direction, probability, weight = directions(result)
    cells = sphere_points(_CELLS).numpy()
    cell = cKDTree(cells).query(direction)[1]
    held = [np.bincount(cell, values, minlength=_CELLS) / values.sum() for values in (probability, weight)]
    kernel = np.exp((np.clip(at @ cells.T, -1, 1) - 1) / _KERNEL**2)
    observed, expected = (kernel @ values for values in held)
    return np.asarray(observed / np.maximum(expected, 1e-12 + 1e-3 * expected.max()))


def _angles(direction: Array) -> tuple[Array, Array]:
    z, y, x = direction.T
    return np.arctan2(y, x), np.arcsin(np.clip(z, -1, 1))


def _hammer(picture: Figure, position: tuple[int, int, int] = (1, 1, 1)) -> Axes:
    axes = picture.add_subplot(*position, projection="hammer")
    axes.grid(True, color="#c4cbd2", linewidth=0.6)
    axes.set_xticks(np.radians([-120, -60, 0, 60, 120]))
    axes.set_yticks(np.radians([-60, -30, 0, 30, 60]))
    axes.tick_params(labelsize=9)
    for label in axes.get_xticklabels():
        label.set_bbox({"facecolor": "white", "alpha": 0.65, "edgecolor": "none", "pad": 0.6})
    return axes


_SLICES: Final = (
    "Photons per pixel in a pattern of mean fluence, on a logarithmic scale, in the planes through q = 0 normal to z, "
    "y and x of the reconstruction's frame. Grey: never measured."
)
_EXAMPLES: Final = (
    "Above: patterns from faint to bright. Below: slices at their most probable orientations. Grey: not used."
)


def slices_picture(result: OrientationResult) -> Picture:
    """Captioned picture of three central planes."""
    return Picture(as_tiles(slices_figure(result)), "Central slices", _SLICES, wide=True)


def examples_picture(examples: Examples) -> Picture:
    """Captioned picture of patterns above their slices."""
    return Picture(as_tiles(examples_figure(examples)), "Patterns and best matching slices", _EXAMPLES, wide=True)


def slices_figure(result: OrientationResult) -> Figure:
    """Three central planes of the merged intensity on one logarithmic scale."""
    size = result.slices.shape[-1]
    known = bool(np.isfinite(result.voxel))
    step, unit = (result.voxel * 1e-9, "1/nm") if known else (1.0, "voxel")
    edge = (np.array([0, size]) - size // 2 - 0.5) * step
    measured = result.slices[result.slices > 0]
    top = float(measured.max()) if len(measured) else 1.0
    norm = LogNorm(max(float(np.quantile(measured, 0.02)) if len(measured) else 0.1, top * 1e-6), top, clip=True)
    with figure(11, 3.9) as picture:
        panels = picture.subplots(1, 3)
        for axes, plane, down, right in zip(panels, result.slices, "yzz", "xxy", strict=True):
            drawn = np.where(plane > 0, plane, np.nan)
            image = axes.imshow(
                drawn, norm=norm, cmap=PHOTON_COLOURS, extent=(*edge, edge[1], edge[0]), interpolation="nearest"
            )
            axes.set(xlabel=f"$q_{right}$ ({unit})", ylabel=f"$q_{down}$ ({unit})")
            axes.xaxis.set_major_locator(MaxNLocator(4))
            axes.yaxis.set_major_locator(MaxNLocator(4))
            axes.grid(False)
        picture.colorbar(image, ax=panels, shrink=0.85, pad=0.01, label="photons per pixel")
    return picture


def examples_figure(examples: Examples) -> Figure:
    """Patterns above, the best matching slices below, on one logarithmic scale. Source: Shi et al. (2019), Fig. S5."""
    count = len(examples.frame)
    used = examples.classes < 2
    norm = LogNorm(0.5, max(2.0, float(examples.photons.max())), clip=True)
    with figure(2.35 * count + 0.9, 5.1) as picture:
        panels = picture.subplots(2, count, squeeze=False)
        rows = (("pattern", examples.photons), ("slice", examples.expected))
        for line, (name, images) in zip(panels, rows, strict=True):
            for axes, values, frame, match in zip(line, images, examples.frame, examples.correlation, strict=True):
                drawn = np.where(used, np.maximum(values, 0.5), np.nan)
                image = axes.imshow(drawn, norm=norm, cmap=PHOTON_COLOURS, interpolation="nearest")
                axes.set_title(
                    f"pattern {frame}" if name == "pattern" else f"slice, correlation {match:.2f}", fontsize=9
                )
                axes.set(xticks=[], yticks=[])
                axes.grid(False)
                for side in axes.spines.values():
                    side.set_visible(False)
        picture.colorbar(image, ax=panels, shrink=0.8, pad=0.01, label="photons per pixel")
    return picture
