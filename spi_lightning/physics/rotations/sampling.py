"""Even sampling of the rotation group by the refined 600-cell, whole or reduced by a point group.

The vertices of the 600-cell are the 120 icosians, unit quaternions; its 720 edges, 1200 triangles and 600 tetrahedra
are divided into n equal steps, and the points of this lattice are moved onto the unit sphere. Of q and -q, which are
one rotation, one is kept: 10 (5 n^3 + n) rotations, num_div = n of Dragonfly. A lattice point represents a solid angle
that depends on its distance from the centre of its tetrahedron, its weight.
Source: Loh & Elser (2009), Phys. Rev. E 80, 026705, Appendix C.
"""

from dataclasses import dataclass
from functools import cache
from typing import Final

import torch
from torch import Tensor

from .orientations import conjugate, symmetry_group

_SHARE: Final = {
    2: 35 / 36,
    1: 5 / 6,
}  # of a lattice cell at points of edges and vertices: the volumes add up for every n
_ROUND: Final = 1e-9


@dataclass(frozen=True)
class RotationSamples:
    """Sampled rotations.

    Attributes:
        quaternion: (R, 4) float64 unit quaternions w, x, y, z, the first nonzero component positive.
        weight: (R,) float64 shares of all rotations (up to the point group) that each represents; their sum is 1.
        group: (K, 4) float64 rotations of the point group, the identity first.
    """

    quaternion: Tensor
    weight: Tensor
    group: Tensor

    def __len__(self) -> int:
        """Number of sampled rotations, R."""
        return len(self.quaternion)


def rotation_samples(num_div: int, point_group: str = "none") -> RotationSamples:
    """Rotations of the 600-cell refined ``num_div`` times, those that a point group leaves distinct.

    Of rotations q S, equivalent for all S of the group, the one nearest to the identity is kept; where several are as
    near, each is kept with its part of the weight.

    Args:
        num_div: Steps along each edge of the 600-cell; the sampling step is about 72 / num_div degrees.
        point_group: Symmetry of the body, see symmetry_group.

    Raises:
        UserError: The point group is unknown.
    """
    quaternion, weight = _refined(num_div)
    group = symmetry_group(point_group)
    nearness = (quaternion @ conjugate(group).T).abs()  # cosine of half the angle of q S
    best = nearness.amax(dim=1)
    kept = nearness[:, 0] >= best - _ROUND
    equals = (nearness >= best[:, None] - _ROUND).sum(dim=1)
    weight = (weight / equals)[kept]
    return RotationSamples(quaternion[kept], weight / weight.sum(), group)


@cache
def _refined(num_div: int) -> tuple[Tensor, Tensor]:
    """All rotations (R, 4) of the refined 600-cell, and their weights (R,)."""
    vertices = _vertices()
    joined = _joined()
    points, weights = [], []
    for simplices in _simplices(joined):
        corners = vertices[simplices]  # (S, k, 4)
        inner = _compositions(num_div, simplices.shape[1]) / num_div  # (P, k)
        if len(inner) == 0:
            continue
        flat = torch.einsum("pk,skc->spc", inner, corners)
        centre = torch.nn.functional.normalize(vertices[_cells_at(simplices, joined)].sum(dim=1), dim=1)
        length = flat.norm(dim=-1)
        angle = torch.einsum("spc,sc->sp", flat, centre) / length**4  # solid angle of a flat element of volume
        weights.append((angle * _SHARE.get(simplices.shape[1], 1.0)).flatten())
        points.append((flat / length[..., None]).flatten(0, 1))
    quaternion, weight = torch.cat(points), torch.cat(weights)
    large = (quaternion.abs() > _ROUND).double()
    leading = quaternion.gather(1, large.argmax(dim=1, keepdim=True))[:, 0] > 0
    return quaternion[leading], weight[leading] / weight[leading].sum()


def _vertices() -> Tensor:
    """(120, 4) vertices of the 600-cell: the rotations of the icosahedron, q and -q."""
    icosians = symmetry_group("icosahedral")
    return torch.cat([icosians, -icosians])


def _joined() -> Tensor:
    """(120, 120) bool: vertices of the 600-cell joined by an edge, 36 degrees apart."""
    overlap = _vertices() @ _vertices().T
    return (overlap > 0.8) & (overlap < 0.9)


def _simplices(joined: Tensor) -> list[Tensor]:
    """Vertices, edges, triangles and tetrahedra of the 600-cell: (120, 1), (720, 2), (1200, 3) and (600, 4) indices."""
    number = torch.arange(len(joined))
    found = [number[:, None]]
    for _ in range(3):
        common = joined[found[-1]].all(dim=1) & (number > found[-1][:, -1:])
        simplex, vertex = common.nonzero(as_tuple=True)
        found.append(torch.cat([found[-1][simplex], vertex[:, None]], dim=1))
    return found


def _cells_at(simplices: Tensor, joined: Tensor) -> Tensor:
    """(S, 4) vertices of one of the tetrahedra that hold each simplex (S, k); all of them are equivalent."""
    while simplices.shape[1] < 4:
        vertex = joined[simplices].all(dim=1).double().argmax(dim=1)
        simplices = torch.cat([simplices, vertex[:, None]], dim=1)
    return simplices


def _compositions(total: int, parts: int) -> Tensor:
    """All (P, parts) positive whole numbers whose sum is ``total``, float64."""
    if parts == 1:
        return torch.full((1, 1), float(total), dtype=torch.float64)
    cuts = torch.combinations(torch.arange(1, total), parts - 1).reshape(-1, parts - 1)
    return torch.nn.functional.pad(cuts, (1, 0)).diff(dim=1, append=torch.full((len(cuts), 1), total)).double()
