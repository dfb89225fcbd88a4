"""Convex polyhedra of unit volume-diameter: vertices and face planes.

Each body is scaled so that its volume equals that of a sphere of diameter 1, centred on the origin.
"""

from dataclasses import dataclass
from functools import cache
from itertools import permutations, product
from math import pi, sqrt

import numpy as np
import torch
from scipy.spatial import ConvexHull
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
