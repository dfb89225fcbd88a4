"""Polyhedra: convex ones by vertices and face planes, and bodies with holes and re-entrant corners.

The latter are signed sums of convex pieces: nuts, drilled solids, shells, bent bars. The chord through such a body is
the sum of its pieces' chords, each with its sign, so whatever draws a convex polyhedron draws these. Each body is
scaled to the volume of a sphere of diameter 1, its centre of mass at the origin.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import permutations, product
from math import pi, sqrt

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, Delaunay, HalfspaceIntersection
from torch import Tensor

GOLDEN = (1 + sqrt(5)) / 2


@dataclass(frozen=True)
class Polyhedron:
    """Convex body: the points r with normals @ r <= offsets, in volume-equivalent diameters, z, y, x, float64.

    Attributes:
        vertices: (V, 3) corners of the body.
        normals, offsets: (F, 3) unit normals and (F,) offsets of its faces.
        centrosymmetric: Whether -r lies inside whenever r does.
    """

    name: str
    vertices: Tensor
    normals: Tensor
    offsets: Tensor
    centrosymmetric: bool


def _signs(*coordinates: float) -> list[tuple[float, ...]]:
    return [
        tuple(s * c for s, c in zip(sign, coordinates, strict=True))
        for sign in product((1.0, -1.0), repeat=len(coordinates))
    ]


def _cyclic(points: list[tuple[float, ...]]) -> list[tuple[float, ...]]:
    return [(*p[shift:], *p[:shift]) for p in points for shift in range(3)]


def _corner_points(name: str) -> list[tuple[float, ...]]:
    golden = GOLDEN
    points: dict[str, list[tuple[float, ...]]] = {
        "tetrahedron": [(1.0, 1.0, 1.0), (1.0, -1.0, -1.0), (-1.0, 1.0, -1.0), (-1.0, -1.0, 1.0)],
        "cube": _signs(1, 1, 1),
        "octahedron": _cyclic(_signs(1, 0, 0)),
        "dodecahedron": _signs(1, 1, 1) + _cyclic(_signs(0, 1 / golden, golden)),
        "icosahedron": _cyclic(_signs(0, 1, golden)),
        "truncated_icosahedron": _cyclic(
            _signs(0, 1, 3 * golden) + _signs(1, 2 + golden, 2 * golden) + _signs(golden, 2, 2 * golden + 1)
        ),
        "truncated_octahedron": [p for q in set(permutations((0.0, 1.0, 2.0))) for p in _signs(*q)],
        "cuboctahedron": _cyclic(_signs(0, 1, 1)),
    }
    return points[name]


POLYHEDRA = (
    "octahedron",
    "dodecahedron",
    "icosahedron",
    "truncated_icosahedron",
    "cube",
    "truncated_octahedron",
    "cuboctahedron",
    "tetrahedron",
)


@cache
def polyhedron(name: str) -> Polyhedron:
    """Build a named body of :data:`POLYHEDRA` with the volume of a sphere of diameter 1.

    Raises:
        KeyError: The name is not in POLYHEDRA.
    """
    points = np.unique(np.asarray(_corner_points(name)).round(12) + 0.0, axis=0)
    hull = ConvexHull(points)
    points = points * (pi / 6 / hull.volume) ** (1 / 3)
    equations = np.unique(ConvexHull(points).equations.round(9) + 0.0, axis=0)
    normals, offsets = equations[:, :3], -equations[:, 3]
    normals = normals / np.linalg.norm(normals, axis=1, keepdims=True)
    opposite = np.abs(normals[:, None] + normals[None]).max(-1) < 1e-6
    symmetric = bool((opposite & (np.abs(offsets[:, None] - offsets[None]) < 1e-6)).any(1).all())
    return Polyhedron(name, torch.tensor(points), torch.tensor(normals), torch.tensor(offsets), symmetric)


@cache
def face_planes(name: str) -> Tensor:
    """Planes of a body, (F, 4) float32: unit normal z, y, x and offset. Of a centrosymmetric one, one of each pair."""
    body = polyhedron(name)
    planes = torch.cat([body.normals, body.offsets[:, None]], dim=1)
    if body.centrosymmetric:
        weights = planes.new_tensor([1.0, 1e-3, 1e-6])
        planes = planes[(planes[:, :3].sign() * (planes[:, :3].abs() > 1e-9) @ weights) > 0]
    return planes.float()


@cache
def circumradius(name: str) -> float:
    """Largest distance of a corner from the centre, in volume-equivalent diameters."""
    return float(polyhedron(name).vertices.norm(dim=1).max())


Planes = NDArray[np.float64]


@dataclass(frozen=True)
class Piece:
    """Convex piece of a body: the points r with planes[:, :3] @ r <= planes[:, 3], counted ``sign`` times.

    Attributes:
        sign: Sign of the piece, +1 adds, -1 subtracts.
        planes: (F, 4) float64 unit normals z, y, x and offsets, in volume-equivalent diameters of the body.
        vertices: (V, 3) float64 corners, in the same unit.
    """

    sign: float
    planes: Tensor
    vertices: Tensor


def _prism(sides: int, radius: float, half_height: float) -> Planes:
    """Regular prism about z: ``radius`` of the circle through the corners."""
    angle = 2 * pi * np.arange(sides) / sides
    around = np.stack([0 * angle, np.sin(angle), np.cos(angle), 0 * angle + radius * np.cos(pi / sides)], axis=1)
    return np.vstack([around, [[1.0, 0.0, 0.0, half_height], [-1.0, 0.0, 0.0, half_height]]])


def _box(low: tuple[float, float, float], high: tuple[float, float, float]) -> Planes:
    return np.vstack([np.column_stack([np.eye(3), high]), np.column_stack([-np.eye(3), -np.asarray(low)])])


def _solid(name: str, scale: float = 1.0) -> Planes:
    body = polyhedron(name)
    return np.column_stack([body.normals.numpy(), scale * body.offsets.numpy()])


def _nut(sides: int, hole: float, height: float) -> list[tuple[float, Planes]]:
    """Prism of corner radius 1 and this height, with a hole of the same form, ``hole`` times as wide."""
    return [(1.0, _prism(sides, 1.0, height / 2)), (-1.0, _prism(sides, hole, height / 2))]


def _drilled(name: str, radius: float, sides: int) -> list[tuple[float, Planes]]:
    """Solid with a prismatic hole through its centre along z; ``radius`` in diameters."""
    bore = np.vstack([_solid(name), _prism(sides, radius, 1.0)[:-2]])
    return [(1.0, _solid(name)), (-1.0, bore)]


def _bored(flatness: float, radius: float) -> list[tuple[float, Planes]]:
    """Smooth ball of radius 1, ``flatness`` along z, with a round hole: 92 planes, and 10 around the hole."""
    number = np.arange(92) + 0.5
    z, angle = 1 - 2 * number / len(number), pi * (1 + 5**0.5) * number
    normals = np.stack([z, np.sqrt(1 - z**2) * np.sin(angle), np.sqrt(1 - z**2) * np.cos(angle)], axis=1)
    ball = np.column_stack([normals, np.linalg.norm(normals * (flatness, 1, 1), axis=1)])
    return [(1.0, ball), (-1.0, np.vstack([ball, _prism(10, radius, 1.0)[:-2]]))]


def _shell(name: str, inner: float) -> list[tuple[float, Planes]]:
    return [(1.0, _solid(name)), (-1.0, _solid(name, inner))]


def _bars(*boxes: tuple[tuple[float, float, float], tuple[float, float, float]]) -> list[tuple[float, Planes]]:
    """Boxes that touch but do not overlap."""
    return [(1.0, _box(low, high)) for low, high in boxes]


_BUILD: dict[str, Callable[[], list[tuple[float, Planes]]]] = {
    "triangular_nut": lambda: _nut(3, 0.45, 0.6),
    "square_nut": lambda: _nut(4, 0.45, 0.7),
    "square_frame": lambda: _nut(4, 0.68, 0.4),
    "pentagonal_nut": lambda: _nut(5, 0.4, 0.9),
    "hexagonal_nut": lambda: _nut(6, 0.5, 0.8),
    "hexagonal_frame": lambda: _nut(6, 0.62, 0.5),
    "drilled_cube": lambda: _drilled("cube", 0.22, 5),
    "drilled_octahedron": lambda: _drilled("octahedron", 0.2, 6),
    "drilled_icosahedron": lambda: _drilled("icosahedron", 0.22, 4),
    "icosahedral_shell": lambda: _shell("icosahedron", 0.65),
    "l_shape": lambda: _bars(((0, 0, 0), (1, 1, 3)), ((0, 1, 0), (1, 2.5, 1))),
    "u_shape": lambda: _bars(((0, 0, 0), (1, 1, 3)), ((0, 1, 0), (1, 2.5, 1)), ((0, 1, 2), (1, 2.5, 3))),
    "cross": lambda: _bars(((0, 1, 0), (1, 2, 3)), ((0, 0, 1), (1, 1, 2)), ((0, 2, 1), (1, 3, 2))),
    "corner": lambda: _bars(((0, 0, 0), (1, 1, 2.5)), ((0, 1, 0), (1, 2.5, 1)), ((1, 0, 0), (2.5, 1, 1))),
    "drilled_ball": lambda: _bored(0.9, 0.5),
    "drilled_bun": lambda: _bored(0.65, 0.4),
    "drilled_lens": lambda: _bored(0.45, 0.55),
}
COMPOSITES: tuple[str, ...] = tuple(_BUILD)


@cache
def composite(name: str) -> tuple[Piece, ...]:
    """Convex pieces of a named body of :data:`COMPOSITES`, of a sphere's volume of diameter 1 together.

    Raises:
        KeyError: The name is not in COMPOSITES.
    """
    parts = [(sign, planes, _corners(planes)) for sign, planes in _BUILD[name]()]
    measured = [(sign, *_volume_and_centre(corners)) for sign, _, corners in parts]
    total = sum(sign * volume for sign, volume, _ in measured)
    centre = sum(sign * volume * middle for sign, volume, middle in measured) / total
    scale = (pi / 6 / total) ** (1 / 3)
    return tuple(
        Piece(
            sign,
            torch.tensor(np.column_stack([planes[:, :3], scale * (planes[:, 3] - planes[:, :3] @ centre)])),
            torch.tensor(scale * (corners - centre)),
        )
        for sign, planes, corners in parts
    )


@cache
def composite_radius(name: str) -> float:
    """Largest distance of a corner from the centre of mass, in volume-equivalent diameters."""
    return max(float(piece.vertices.norm(dim=1).max()) for piece in composite(name) if piece.sign > 0)


def _corners(planes: Planes) -> NDArray[np.float64]:
    """Corners (V, 3) of the convex piece between planes; the middle of its bounding planes is assumed inside."""
    far = np.linalg.lstsq(planes[:, :3], planes[:, 3], rcond=None)[0]
    halfspaces = np.column_stack([planes[:, :3], -planes[:, 3]])
    corners: NDArray[np.float64] = np.unique(HalfspaceIntersection(halfspaces, far).intersections.round(7), axis=0)
    return corners


def _volume_and_centre(corners: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
    """Volume and centre of mass of a convex piece, from its tetrahedra."""
    simplices = corners[Delaunay(corners).simplices]
    volume = np.abs(np.linalg.det(simplices[:, 1:] - simplices[:, :1])) / 6
    assert np.isclose(volume.sum(), ConvexHull(corners).volume)
    return float(volume.sum()), (volume[:, None] * simplices.mean(1)).sum(0) / volume.sum()
