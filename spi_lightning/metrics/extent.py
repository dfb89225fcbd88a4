"""Size of a particle: its widths between parallel planes in all directions."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spi_lightning.physics.rotations.orientations import sphere_points

_DIRECTIONS: Final = 2000  # on a sphere: 4 degrees apart; on a circle: 0.1 degrees


def widths(amplitude: NDArray[Any], level: float, edges: Sequence[float] | NDArray[Any]) -> tuple[float, float]:
    """Largest and smallest caliper width (Feret diameter) of the region above a level, in the unit of ``edges``.

    The width along a direction is the distance of the two lines or planes normal to it that enclose the region, whose
    surface is interpolated between pixels: half the height of a blurred edge is where the sharp one was.

    Args:
        amplitude: (y, x) or (z, y, x) float, 0 where it is not to count.
        level: Amplitude of the surface, in the unit of ``amplitude``.
        edges: Edge of a pixel along each axis, which are perpendicular.

    Returns:
        Two lengths; zeros where nothing exceeds the level.
    """
    from scipy.spatial import ConvexHull, QhullError  # when a size is needed: commands start without

    position = surface_points(amplitude, level) * np.asarray(edges, dtype=np.float64)
    if not len(position):
        return 0.0, 0.0
    if amplitude.ndim == 2:
        angle = np.linspace(0, np.pi, _DIRECTIONS, endpoint=False)
        direction = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    else:
        direction = sphere_points(_DIRECTIONS).numpy()
    with suppress(QhullError):  # of a flat region
        hull = ConvexHull(position)
        position, normals = position[hull.vertices], hull.equations[:, :-1]
        direction = np.concatenate([direction, normals])  # a body is narrowest across a facet
    width = np.ptp(position @ direction.T, axis=0)
    return float(width.max()), float(width.min())


def surface_points(amplitude: NDArray[Any], level: float) -> NDArray[np.float64]:
    """Points (n, axes) where an amplitude crosses a level between neighbours along an axis, pixel; beyond the array: 0.

    Args:
        amplitude: (y, x) or (z, y, x) float.
        level: Amplitude of the surface, above 0.
    """
    values, found = np.pad(np.asarray(amplitude, dtype=np.float64), 1), []
    for axis in range(values.ndim):
        n = values.shape[axis]
        before, after = values.take(range(n - 1), axis), values.take(range(1, n), axis)
        crossed = np.nonzero((before > level) != (after > level))
        at = np.stack(crossed, axis=1).astype(np.float64)
        low, high = before[crossed], after[crossed]
        at[:, axis] += (level - low) / (high - low)
        found.append(at - 1)
    return np.concatenate(found)
