"""Isosurfaces that can be rotated: diffraction coloured by |q|, densities coloured by their phase."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import plotly.graph_objects as go  # type: ignore[import-untyped]
from matplotlib.colors import to_hex
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates
from skimage.measure import marching_cubes

from spi_lightning.reports.volumes.slices import without_offset

from .page import Surface
from .style import PHASE_COLOURS, PHASE_TICKS

Array = NDArray[Any]
LEVEL: Final = 0.3  # of the largest amplitude, at which a density's surface is drawn
_SHARE: Final = 0.03  # of the voxels of a pattern that lie inside its surface
_MOST: Final = 48  # edge from which a pattern's surface is drawn with every other voxel


def object_surface(density: Array, voxel: Array, title: str) -> Surface:
    """Surface of |density| at 30 % of its maximum, coloured by the phase.

    Args:
        density: (z, y, x) complex, origin at n // 2; its constant phase is removed as in the slices.
        voxel: (3,) edges of a voxel, m; NaN: lengths in voxels.
        title: Title of the picture.
    """
    density = without_offset(density)
    amplitude = np.pad(np.abs(density) / max(float(np.abs(density).max()), 1e-30), 1)
    vertices, faces = _mesh(amplitude, LEVEL)
    padded = np.pad(density, 1)
    phase = np.angle(_at(padded.real, vertices) + 1j * _at(padded.imag, vertices))
    known = bool(np.isfinite(voxel).all())
    edges = voxel * 1e9 if known else np.ones(3)
    positions = (vertices - np.array(amplitude.shape) // 2) * edges
    scale = [[share, to_hex(PHASE_COLOURS(share))] for share in np.linspace(0, 1, 33).tolist()]
    unit = "nm" if known else "voxel"
    figure = _figure(positions, faces, phase, "phase (rad)", scale, (-np.pi, np.pi), unit, "zyx", PHASE_TICKS)
    caption = f"|density| at {100 * LEVEL:.0f} % of its maximum, coloured by the phase (rad)."
    return Surface(figure, title, caption)


def diffraction_surface(fourier_amplitude: Array, voxel: Array, title: str, level: float) -> Surface:
    """Surface of Fourier amplitudes at ``level``, coloured by the distance from q = 0.

    Args:
        fourier_amplitude: (Z, Y, X) Fourier amplitudes, origin at n // 2.
        voxel: (3,) edges of a voxel of the density, m; NaN: frequencies in cycles per voxel.
        title: Title of the picture.
        level: Amplitude of the surface, see surface_level.
    """
    step = 2 if max(fourier_amplitude.shape) > _MOST else 1
    vertices, faces = _mesh(np.pad(fourier_amplitude, step), level, step)
    known = bool(np.isfinite(voxel).all())
    edges = voxel * 1e9 if known else np.ones(3)
    shape = np.array(fourier_amplitude.shape)
    positions = (vertices - step - shape // 2) / (shape * edges)
    unit = "1/nm" if known else "1/voxel"
    radius = np.linalg.norm(positions, axis=1)
    reach = (0.0, float(radius.max(initial=1e-9)))
    figure = _figure(positions, faces, radius, f"|q| ({unit})", "Turbo", reach, unit, ("q_z", "q_y", "q_x"))
    share = (level / max(float(fourier_amplitude.max()), 1e-30)) ** 2
    return Surface(figure, title, f"Intensity at {share:.1g} of its maximum, coloured by |q| ({unit}).")


def surface_level(fourier_amplitude: Array, mask: Array) -> float:
    """Amplitude that 3 % of the measured voxels exceed; arguments (Z, Y, X), ``mask`` True where measured."""
    return float(np.quantile(fourier_amplitude[mask], 1 - _SHARE))


def _mesh(values: Array, level: float, step: int = 1) -> tuple[Array, Array]:
    """Vertices (n, 3) in voxels and faces (m, 3) of the surface at a level; empty if no voxel reaches it."""
    if not values.min() < level < values.max():
        return np.zeros((0, 3)), np.zeros((0, 3), dtype=np.int32)
    vertices, faces, _, _ = marching_cubes(np.asarray(values, dtype=np.float32), level, step_size=step)  # type: ignore[no-untyped-call]
    return vertices, faces


def _at(values: Array, vertices: Array) -> Array:
    found: Array = map_coordinates(values, vertices.T, order=1)
    return found


def _figure(
    positions: Array,
    faces: Array,
    colour: Array,
    label: str,
    scale: str | list[list[Any]],
    limits: tuple[float, float],
    unit: str,
    names: Sequence[str],
    ticks: tuple[Sequence[float], Sequence[str]] | None = None,
) -> str:
    """Plotly figure as JSON, with ``<`` escaped for the page."""
    z, y, x = (np.asarray(positions[:, axis], dtype=np.float32) for axis in range(3))
    i, j, k = (np.asarray(faces[:, corner], dtype=np.int32) for corner in range(3))
    bar: dict[str, Any] = {"title": {"text": label, "side": "right"}, "thickness": 12, "len": 0.8}
    if ticks is not None:
        bar |= {"tickvals": list(ticks[0]), "ticktext": list(ticks[1])}
    mesh = go.Mesh3d(
        x=x, y=y, z=z, i=i, j=j, k=k, intensity=np.asarray(colour, dtype=np.float32), colorscale=scale,
        cmin=limits[0], cmax=limits[1], colorbar=bar,
        lighting={"ambient": 0.55, "diffuse": 0.7, "specular": 0.15}, hoverinfo="skip",
    )  # fmt: skip
    scene: dict[str, Any] = {
        f"{axis}axis": {"title": {"text": f"{name} ({unit})"}, "nticks": 5}
        for axis, name in zip("zyx", names, strict=True)
    }
    layout = {
        "scene": scene
        | {
            "aspectmode": "data",
            "camera": {"eye": {"x": 1.8, "y": 1.8, "z": 1.0}, "center": {"x": 0, "y": 0, "z": -0.12}},
        },
        "margin": {"l": 0, "r": 0, "t": 0, "b": 0},
        "template": "none",
    }
    return str(go.Figure([mesh], layout).to_json()).replace("<", "\\u003c")
