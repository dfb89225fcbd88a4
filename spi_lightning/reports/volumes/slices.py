"""Central slices of densities side by side: amplitude and phase with scale bars, and how sure they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from spi_lightning.physics.array import box_around
from spi_lightning.reports.style import MASKED, NORMALS, PHASE_COLOURS, figure, phase_bar
from spi_lightning.results.volumes import DisplayedPattern, VolumeResult

Array = NDArray[Any]
_LEAST = 0.1  # share of the largest amplitude from which a phase is drawn


def slices_figure(result: VolumeResult, pattern: DisplayedPattern) -> Figure:
    """Amplitude and phase of the best runs in the three central planes: Wu et al. (2021), Fig. 6."""
    rows = [(name, method.best) for name, method in zip(result.names, pattern.methods, strict=True)]
    if pattern.truth is not None:
        rows.insert(0, ("truth", pattern.truth))
    window = window_of([density for _, density in rows])
    edges = [each.stop - each.start for each in window]
    columns = [edges[2], edges[2], edges[1]] * 2  # widths in voxels, so that voxels have one size
    inch = 10.4 / sum(columns)
    with figure(12.4, (inch * max(edges[:2]) + 0.1) * len(rows) + 0.6) as picture:
        panels = picture.subplots(len(rows), 6, squeeze=False, width_ratios=columns)
        for row, (name, density) in enumerate(rows):
            density = without_offset(density)
            amplitude = np.abs(density) / max(float(np.abs(density).max()), 1e-30)
            phase = np.where(amplitude > _LEAST, np.angle(density), np.nan)
            for normal in range(3):
                drawn = _panel(panels[row, normal], amplitude, normal, window, ("viridis", 0, 1))
                turned = _panel(panels[row, 3 + normal], phase, normal, window, (PHASE_COLOURS, -np.pi, np.pi))
                scale_bar(panels[row, normal], result, normal, window)
            panels[row, 0].set_ylabel(name.replace(", ", ",\n"), fontsize=9)
        for column in range(6):
            what = "amplitude" if column < 3 else "phase"
            panels[0, column].set_title(f"{what},\n{NORMALS[column % 3]}", fontsize=9)
        beside: dict[str, Any] = {"shrink": min(1.0, 2.4 / len(rows)), "aspect": 18, "pad": 0.01}
        bar = picture.colorbar(drawn, ax=list(panels[:, :3].flat), **beside)
        bar.set_label("amplitude / maximum")
        phase_bar(picture, turned, list(panels[:, 3:].flat), **beside)
    return picture


def uncertainty_figure(result: VolumeResult, pattern: DisplayedPattern) -> Figure:
    """Mean of the runs that agree, and their root mean square deviation in every voxel, plane normal to z."""
    means = [method.mean for method in pattern.methods]
    window, count = window_of(means), len(means)
    with figure(2.35 * count + 1.4, 6.4) as picture:
        panels = picture.subplots(3, count, squeeze=False)
        for column, method in enumerate(pattern.methods):
            mean = without_offset(method.mean)
            top = max(float(np.abs(mean).max()), 1e-30)
            amplitude, deviation = np.abs(mean) / top, np.maximum(method.deviation / top, 1e-6)
            phase = np.where(amplitude > _LEAST, np.angle(mean), np.nan)
            drawn = [
                _panel(panels[0, column], amplitude, 0, window, ("viridis", 0, 1)),
                _panel(panels[1, column], phase, 0, window, (PHASE_COLOURS, -np.pi, np.pi)),
                _panel(panels[2, column], deviation, 0, window, ("inferno", 1e-4, 1), logarithmic=True),
            ]
            if int(method.kept) < 2:
                panels[2, column].text(
                    0.5, 0.5, "one run", color="white", ha="center", transform=panels[2, column].transAxes
                )
            scale_bar(panels[0, column], result, 0, window)
            panels[0, column].set_title(result.names[column].replace(", ", ",\n"), fontsize=9)
        labels = ("mean amplitude / max", "phase of mean (rad)", "rms deviation / max")
        for row, label in enumerate(labels):
            if row == 1:
                phase_bar(picture, drawn[row], panels[row], label, shrink=0.85, pad=0.02)
            else:
                picture.colorbar(drawn[row], ax=list(panels[row]), shrink=0.85, pad=0.02).set_label(label)
    return picture


def pattern_figure(result: VolumeResult, pattern: DisplayedPattern) -> Figure:
    """Measured intensity in the three central planes of reciprocal space."""
    intensity = pattern.fourier_amplitude.astype(np.float64) ** 2
    top = float(intensity.max())
    low = top * 1e-7 if top < 10 else max(0.3, top * 1e-7)
    known = result.known
    steps = 1 / (np.array(intensity.shape) * (result.voxel * 1e9 if known else 1.0))
    with figure(12.0, 3.9) as picture:
        panels = picture.subplots(1, 3)
        for normal, axes in enumerate(panels):
            rows, columns = (axis for axis in range(3) if axis != normal)
            plane = np.where(pattern.mask, np.maximum(intensity, low), np.nan).take(
                intensity.shape[normal] // 2, normal
            )
            edges = [
                ((end - n // 2) - 0.5) * steps[axis]
                for axis in (columns, rows)
                for n in (intensity.shape[axis],)
                for end in (0, n)
            ]
            axes.set_facecolor(MASKED)
            extent = (edges[0], edges[1], edges[3], edges[2])
            drawn = axes.imshow(plane, norm=LogNorm(low, top), cmap="magma", extent=extent, interpolation="nearest")
            axes.set_aspect("auto")
            axes.grid(False)
            unit = "1/nm" if known else "1/voxel"
            axes.set(
                title=NORMALS[normal], xlabel=f"$q_{'zyx'[columns]}$ ({unit})", ylabel=f"$q_{'zyx'[rows]}$ ({unit})"
            )
        picture.colorbar(drawn, ax=list(panels), shrink=0.9, pad=0.02).set_label(
            "photons per voxel" if result.about.counted else "intensity"
        )
    return picture


def without_offset(density: Array) -> Array:
    """Density (z, y, x) times the constant phase that makes its sum real and positive."""
    total = complex(density.sum())
    turned: Array = density * (np.conj(total) / max(abs(total), 1e-30))
    return turned


def window_of(densities: Sequence[Array]) -> tuple[slice, slice, slice]:
    """Box of the voxels (z, y, x) in which a density exceeds 10 % of its maximum, with a margin."""
    inside = np.zeros(densities[0].shape, dtype=bool)
    for density in densities:
        inside |= np.abs(density) > _LEAST * max(float(np.abs(density).max()), 1e-30)
    return box_with_margin(inside if inside.any() else ~inside)


def box_with_margin(inside: Array, margin: int = 2) -> tuple[slice, slice, slice]:
    """Smallest box (z, y, x) that holds all True voxels, and ``margin`` more on every side, cut off by the array."""
    box = box_around(torch.from_numpy(inside), 3)
    z, y, x = (
        slice(max(0, each.start - margin), min(n, each.stop + margin))
        for each, n in zip(box, inside.shape, strict=True)
    )
    return z, y, x


def _panel(
    axes: Axes,
    values: Array,
    normal: int,
    window: tuple[slice, slice, slice],
    scale: tuple[str | Colormap, float, float],
    logarithmic: bool = False,
) -> Any:
    """Draw the plane through voxel n // 2, cut to a window."""
    cut = tuple(each for axis, each in enumerate(window) if axis != normal)
    plane = values.take(values.shape[normal] // 2, normal)[cut]
    cmap, low, high = scale
    axes.set_facecolor("#eef1f4")
    limits: dict[str, Any] = {"norm": LogNorm(low, high)} if logarithmic else {"vmin": low, "vmax": high}
    drawn = axes.imshow(plane, cmap=cmap, interpolation="nearest", **limits)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    axes.grid(False)
    return drawn


def scale_bar(axes: Axes, result: VolumeResult, normal: int, window: tuple[slice, slice, slice]) -> None:
    """Draw a scale bar of a round length at the lower left, in voxels where lengths are not known."""
    column = max(axis for axis in range(3) if axis != normal)
    rows, width = [each.stop - each.start for axis, each in enumerate(window) if axis != normal]
    edge, unit = (float(result.voxel[column] * 1e9), "nm") if result.known else (1.0, "voxels")
    length_bar(axes, edge, unit, (rows, width))


def length_bar(axes: Axes, edge: float, unit: str, shape: tuple[int, int], colour: str = "white") -> None:
    """Draw a scale bar of a round length at the lower left of an image.

    Args:
        axes: Axes of the image.
        edge: Edge of a voxel in ``unit``.
        unit: Unit of the length in the label.
        shape: Rows and columns of the image, voxel.
        colour: Colour of bar and label.
    """
    rows, width = shape
    goal = 0.4 * width * edge
    power = 10.0 ** np.floor(np.log10(max(goal, 1e-9)))
    length = max(factor * power for factor in (1, 2, 5) if factor * power <= goal)
    corner, thick = (0.04 * width - 0.5, 0.95 * rows - 0.5), max(0.02 * rows, 0.15)
    axes.add_patch(Rectangle(corner, length / edge, thick, color=colour, linewidth=0))
    axes.text(corner[0], corner[1] - 0.03 * rows, f"{length:g} {unit}", color=colour, fontsize=7.5, va="bottom")
