"""Size of a particle: its widths between parallel planes in all directions."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spi_lightning.physics.rotations.orientations import sphere_points

_DIRECTIONS: Final = 2000  # on a sphere: 4 degrees apart; on a circle: 0.1 degrees


def widths(inside: NDArray[np.bool_], edges: Sequence[float] | NDArray[Any]) -> tuple[float, float]:
    """Largest and smallest caliper width (Feret diameter) of a region, in the unit of ``edges``.

    The width along a direction is the distance of the two lines or planes normal to it that enclose the region; pixels
    count up to their edges.

    Args:
        inside: (y, x) or (z, y, x) bool, True in the region.
        edges: Edge of a pixel along each axis, which are perpendicular.

    Returns:
        Two lengths; zeros of an empty region.
    """
    from scipy.spatial import ConvexHull, QhullError  # when a size is needed: commands start without

    if not inside.any():
        return 0.0, 0.0
    size = np.asarray(edges, dtype=np.float64)
    position = np.stack(np.nonzero(_surface(inside)), axis=1) * size
    with suppress(QhullError):  # of a flat region
        position = position[ConvexHull(position).vertices]
    if inside.ndim == 2:
        angle = np.linspace(0, np.pi, _DIRECTIONS, endpoint=False)
        direction = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    else:
        direction = sphere_points(_DIRECTIONS).numpy()
    along = position @ direction.T
    width = np.ptp(along, axis=0) + np.abs(direction) @ size
    return float(width.max()), float(width.min())


def _surface(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels of a region that are first or last in their row along the last axis: all corners of its hull are."""
    first = inside & (np.cumsum(inside, axis=-1) == 1)
    last = inside & (np.cumsum(inside[..., ::-1], axis=-1)[..., ::-1] == 1)
    surface: NDArray[np.bool_] = first | last
    return surface
