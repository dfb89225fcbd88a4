"""Isosurfaces that can be rotated: diffraction coloured by |q|, densities coloured by their phase.

A surface is a mesh of triangles in a few ten kilobytes, which templates/surface.js draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.colors import Colormap
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates
from skimage.measure import marching_cubes

from spi_lightning.reports.volumes.slices import without_offset

from .page import Surface, base64_of, json_for_page
from .style import PHASE_COLOURS, PHASE_TICKS

Array = NDArray[Any]
LEVEL: Final = 0.3  # of the largest amplitude, at which a density's surface is drawn
MOST_VERTICES: Final = 12_000  # of a surface: 300 kB of the page
PAGE_VERTICES: Final = 80_000  # of all surfaces of a page: 2 MB
_SHARE: Final = 0.03  # of the voxels of a pattern that lie inside its surface
_COLOURS: Final = 128  # of a colour scale


@dataclass(frozen=True)
class _Colouring:
    """Colours of the vertices (n,): values, their limits, colour map, label with unit, and the ticks of the scale."""

    values: Array
    limits: tuple[float, float]
    colours: Colormap
    label: str
    ticks: Sequence[tuple[float, str]]


def object_surface(
    density: Array, voxel: Array, title: str, most: int = MOST_VERTICES, wide: bool = False, caption: str = ""
) -> Surface:
    """Surface of |density| at 30 % of its maximum, coloured by the phase; real densities: by nothing.

    Args:
        density: (z, y, x) complex or real, origin at n // 2; its constant phase is removed as in the slices.
        voxel: (3,) edges of a voxel, m; NaN: lengths in voxels.
        title: Title of the picture.
        most: Largest number of vertices; a finer mesh is made again from every other voxel, or fewer.
        wide: Whether the picture takes the width of the page.
        caption: Sentence after that on the level of the surface.
    """
    density = without_offset(density) if np.iscomplexobj(density) else density
    amplitude = np.pad(np.abs(density) / max(float(np.abs(density).max()), 1e-30), 1)
    vertices, faces = _mesh(amplitude, LEVEL, most)
    padded = np.pad(density, 1)
    phase = np.angle(_at(padded.real, vertices) + 1j * _at(padded.imag, vertices))
    known = bool(np.isfinite(voxel).all())
    positions = (vertices - np.array(amplitude.shape) // 2) * (voxel * 1e9 if known else np.ones(3))
    whole = np.iscomplexobj(density)
    label, ticks = ("phase (rad)", list(zip(*PHASE_TICKS, strict=True))) if whole else ("", [])
    colouring = _Colouring(phase, (-np.pi, np.pi), PHASE_COLOURS, label, ticks)
    mesh = _packed(positions, faces, colouring, "nm" if known else "voxels", "zyx")
    words = f"|density| at {100 * LEVEL:.0f} % of its maximum{', coloured by the phase' if whole else ''}. {caption}"
    return Surface(mesh, title, words.strip(), wide)


def diffraction_surface(
    fourier_amplitude: Array, voxel: Array, title: str, level: float, most: int = MOST_VERTICES
) -> Surface:
    """Surface of Fourier amplitudes at ``level``, coloured by the distance from q = 0.

    Args:
        fourier_amplitude: (Z, Y, X) Fourier amplitudes, origin at n // 2.
        voxel: (3,) edges of a voxel of the density, m; NaN: frequencies in cycles per voxel.
        title: Title of the picture.
        level: Amplitude of the surface, see surface_level.
        most: Largest number of vertices, see object_surface.
    """
    vertices, faces = _mesh(np.pad(fourier_amplitude, 1), level, most)
    known = bool(np.isfinite(voxel).all())
    shape = np.array(fourier_amplitude.shape)
    positions = (vertices - 1 - shape // 2) / (shape * (voxel * 1e9 if known else np.ones(3)))
    unit = "1/nm" if known else "1/voxel"
    radius = np.linalg.norm(positions, axis=1)
    reach = float(radius.max(initial=1e-9))
    ticks = [(value, f"{value:.2g}") for value in np.linspace(0, reach, 4).tolist()]
    colouring = _Colouring(radius, (0.0, reach), mpl.colormaps["turbo"], f"|q| ({unit})", ticks)
    mesh = _packed(positions, faces, colouring, unit, ("q_z", "q_y", "q_x"))
    share = (level / max(float(fourier_amplitude.max()), 1e-30)) ** 2
    return Surface(mesh, title, f"Intensity at {share:.1g} of its maximum, coloured by |q| ({unit}).")


def surface_level(fourier_amplitude: Array, mask: Array) -> float:
    """Amplitude that 3 % of the measured voxels exceed; arguments (Z, Y, X), ``mask`` True where measured."""
    return float(np.quantile(fourier_amplitude[mask], 1 - _SHARE))


def _mesh(values: Array, level: float, most: int) -> tuple[Array, Array]:
    """Vertices (n, 3) in voxels and faces (m, 3) of the surface at a level; empty if no voxel reaches it."""
    vertices, faces = np.zeros((0, 3)), np.zeros((0, 3), dtype=np.int32)
    if not values.min() < level < values.max():
        return vertices, faces
    for step in range(1, min(values.shape) // 2):
        vertices, faces, _, _ = marching_cubes(np.asarray(values, dtype=np.float32), level, step_size=step)  # type: ignore[no-untyped-call]
        if len(vertices) <= most:
            break
    return vertices, faces


def _at(values: Array, vertices: Array) -> Array:
    found: Array = map_coordinates(values, vertices.T, order=1)
    return found


def _packed(positions: Array, faces: Array, colouring: _Colouring, unit: str, names: Sequence[str]) -> str:
    """Mesh as JSON with ``<`` escaped for the page, its arrays as little-endian numbers in base64.

    Args:
        positions: (n, 3) vertices ordered z, y, x, in ``unit``; stored ordered x, y, z in 65536 steps of their box.
        faces: (m, 3) indices of the corners of the triangles.
        colouring: Colours of the vertices.
        unit: Unit of lengths, for the scale bar.
        names: Names of the axes z, y, x.
    """
    points = positions[:, ::-1]
    low, high = (points.min(0), points.max(0)) if len(points) else (np.zeros(3), np.zeros(3))
    steps = np.rint(65535 * (points - low) / np.maximum(high - low, 1e-30))
    start, end = colouring.limits
    share = np.clip((colouring.values - start) / (end - start), 0, 1)
    scale = 255 * colouring.colours(np.linspace(0, 1, _COLOURS))[:, :3]
    mesh = {
        "low": low.tolist(),
        "high": high.tolist(),
        "vertices": _base64(steps, "<u2"),
        "faces": _base64(faces, "<u4" if len(points) > 65535 else "<u2"),
        "colours": _base64(np.rint(share * (_COLOURS - 1)), "u1"),
        "scale": _base64(np.rint(scale), "u1"),
        "label": colouring.label,
        "ticks": [[(value - start) / (end - start), words] for value, words in colouring.ticks],
        "unit": unit,
        "names": list(names)[::-1],
    }
    return json_for_page(mesh)


def _base64(values: Array, kind: str) -> str:
    return base64_of(values.astype(kind).tobytes())
