"""Faceted crystals, bounded by planes of the cubic families as by Wulff's construction, and dislocations in them."""

import math
from collections.abc import Mapping
from dataclasses import field
from itertools import permutations, product
from typing import Final

import torch
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.simulate.draws import Range, chance, random_directions, recipe, uniform

from .phase_field import PhaseRecipe
from .superellipsoid import grid, soft_amplitude

FAMILIES: Final = {"111": (1, 1, 1), "100": (1, 0, 0), "110": (1, 1, 0), "113": (1, 1, 3)}
_DIRECTIONS: Final = 4000  # directions tried for the reach of a body, which is then exact to 2 %


def family_normals(family: str) -> Tensor:
    """Unit normals (planes, 3) of all planes of a cubic family, e.g. 8 of 111."""
    if family not in FAMILIES:
        raise UserError(f"simulate.body.families: {family!r} is unknown; choose from {', '.join(FAMILIES)}")
    signed = {
        tuple(sign * part for sign, part in zip(signs, order, strict=True))
        for order in permutations(FAMILIES[family])
        for signs in product((1, -1), repeat=3)
    }
    normals = torch.tensor(sorted(signed), dtype=torch.float32)
    unit: Tensor = normals / normals.norm(dim=1, keepdim=True)
    return unit


def facet_gauge(position: Tensor, normals: Tensor, distances: Tensor) -> Tensor:
    """Gauge of a faceted crystal: factor by which it must grow to reach a point, the largest n.r / d of its planes.

    Args:
        position: (B, P, 3) points in the frame of the crystal.
        normals: (K, 3) outward unit normals.
        distances: (B, K) from the centre to each plane, in the unit of the points; infinite where there is no facet.

    Returns:
        (B, P); 1 on the surface.
    """
    gauge = torch.full(position.shape[:2], -torch.inf, device=position.device)
    for plane in range(len(normals)):  # one plane at a time: all at once would hold K times the points
        gauge = torch.maximum(gauge, (position @ normals[plane]) / distances[:, plane, None])
    return gauge


@recipe
class CrystalRecipe:
    """Random faceted crystals within a box.

    Attributes:
        families: Range of the relative distance of each family of planes (Wulff's surface energies); the default is
            gold, with {100} a little further out than {111}.
        spread: Standard deviation of the factor of each plane, since real crystals are not symmetric.
        size: Range of the largest half extent as a share of half the box.
        stretch: Range of the flattening along one random axis.
        cut: Probability of a flat cut through the crystal, as by a substrate.
        edge: Width of the surface, voxel (0: sharp).
    """

    families: Mapping[str, Range] = field(default_factory=lambda: {"111": (1.0, 1.0), "100": (1.0, 1.4)})
    spread: float = 0.12
    size: Range = (0.4, 0.85)
    stretch: Range = (0.7, 1.0)
    cut: float = 0.3
    edge: float = 1.0

    def __post_init__(self) -> None:
        for family, bounds in self.families.items():
            family_normals(str(family))
            if not 0 < bounds[0] <= bounds[1]:
                raise UserError(f"simulate.body.families.{family}={list(bounds)}: give a range above 0")
        if not self.families or not 0 < self.size[0] <= self.size[1] <= 1:
            raise UserError(f"simulate.body: size={list(self.size)} within (0, 1] and at least one family are needed")

    def __call__(self, size: int, turn: Tensor, generator: torch.Generator) -> Tensor:
        """Amplitudes (B, size, size, size) float32 of crystals rotated by (B, 3, 3), centred by mass, on its device."""
        count, device = len(turn), turn.device
        normals, distances = (part.to(device) for part in self._planes(count, generator))
        squash = self._squash(count, generator).to(device)
        rays = random_directions(_DIRECTIONS, generator).to(device)
        into = turn @ squash  # a row vector times this is the point in the crystal's own, unsquashed frame
        surface = rays / facet_gauge(rays @ into, normals, distances)[..., None]
        middle = _centroid(surface)
        reach = (surface - middle[:, None]).abs().amax((1, 2))
        wanted = uniform(self.size, (count,), generator).to(device) * (size / 2)
        scale = torch.minimum(wanted, torch.full_like(wanted, size / 2 - 1.5 - self.edge / 2) / 1.02) / reach
        here = grid(size, device).reshape(-1, 3) / scale[:, None, None] + middle[:, None]
        gauge = facet_gauge(here @ into, normals, distances)
        amplitude = soft_amplitude(here * scale[:, None, None], gauge, self.edge)
        return amplitude.reshape(count, size, size, size)

    def _planes(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Normals (K, 3) and distances (count, K); the last plane is the cut, infinitely far where there is none."""
        normals, distances = [], []
        for family, bounds in self.families.items():
            planes = family_normals(str(family))
            normals.append(planes)
            distances.append(uniform(bounds, (count, 1), generator).expand(count, len(planes)))
        normals.append(-family_normals("111")[:1])
        cut = torch.where(torch.rand(count, 1, generator=generator) < self.cut, 1.0, torch.inf)
        distances.append(cut * (0.3 + 0.5 * torch.rand(count, 1, generator=generator)))
        together = torch.cat(distances, dim=1)
        factors = (1 + self.spread * torch.randn(together.shape, generator=generator)).clamp(0.6, 1.5)
        return torch.cat(normals), together * factors

    def _squash(self, count: int, generator: torch.Generator) -> Tensor:
        """(count, 3, 3) matrices that flatten along a random axis: points are stretched before the planes are tried."""
        axis = random_directions(count, generator)
        factor = 1 / uniform(self.stretch, (count,), generator) - 1
        return torch.eye(3) + factor[:, None, None] * axis[:, :, None] * axis[:, None, :]


def _centroid(surface: Tensor) -> Tensor:
    """Centre of mass (B, 3) of star-shaped bodies from points (B, P, 3) of their surface in uniform directions.

    A cone from the origin has mass r^3 and its centroid at 3/4 of its height.
    """
    mass = surface.norm(dim=-1, keepdim=True) ** 3
    centre: Tensor = 0.75 * (mass * surface).sum(1) / mass.sum(1)
    return centre


def screw_displacement(x: Tensor, y: Tensor, burgers: Tensor) -> Tensor:
    """Displacement (...) along the line of a screw dislocation, b theta / 2 pi, in the unit of b.

    Args:
        x, y: (...) distances from the line in the plane across it, e.g. m.
        burgers: Length of the Burgers vector in the same unit, broadcast against them.

    Source: Hirth & Lothe (1982), Theory of Dislocations, Eq. 3-2.
    """
    return burgers / (2 * math.pi) * torch.atan2(y, x)


def edge_displacement(x: Tensor, y: Tensor, burgers: Tensor, poisson: float = 0.44) -> tuple[Tensor, Tensor]:
    """Displacements along x, the Burgers vector, and y around an edge dislocation in an isotropic solid.

    Args:
        x, y: Distances from the line, any shape; the line itself is kept at a finite distance.
        burgers: Length of the Burgers vector, broadcast against them.
        poisson: Poisson's ratio of the solid; 0.44 is gold.

    Source: Hirth & Lothe (1982), Eqs. 3-45 and 3-46.
    """
    square = (x**2 + y**2).clamp_min(1e-6)
    free = 1 - poisson
    along = torch.atan2(y, x) + x * y / (2 * free * square)
    across = (1 - 2 * poisson) / (4 * free) * square.log() + (x**2 - y**2) / (4 * free * square)
    return burgers / (2 * math.pi) * along, -burgers / (2 * math.pi) * across


def dislocation_phase(
    position: Tensor, line: Tensor, slip: Tensor, is_screw: Tensor, order: Tensor, poisson: float = 0.44
) -> Tensor:
    """Phase -Q.u of straight dislocations; around the line it winds by -2 pi times the order.

    Args:
        position: (B, P, 3) points relative to the line.
        line: (B, 3) unit vectors along it.
        slip: (B, 3) unit vectors across it, the direction of the Burgers vector of an edge.
        is_screw: (B,) bool; a screw's Burgers vector is along the line.
        order: (B,) g.b, Burgers vector times reciprocal lattice vector (whole numbers); Q is taken along b.
        poisson: Poisson's ratio of the solid.

    Returns:
        (B, P) rad, with a cut on the half plane where atan2 jumps; by 2 pi for whole orders, so the density has none.
    """
    third = torch.linalg.cross(line, slip)
    x, y = ((position * axis[:, None]).sum(-1) for axis in (slip, third))
    screw = screw_displacement(x, y, order[:, None])
    edge, _ = edge_displacement(x, y, order[:, None], poisson)
    return -2 * math.pi * torch.where(is_screw[:, None], screw, edge)


@recipe
class DislocationRecipe:
    """Gaussian-correlated strain, and dislocations in some crystals.

    Attributes:
        smooth: Recipe of the strain.
        probability: Probability that a crystal has dislocations.
        count: Range of their number.
        screw: Share of screw dislocations, the others are edges.
        offset: Range of the distance of a line from the centre, as a share of half the box.
        poisson: Poisson's ratio of the solid.
    """

    smooth: PhaseRecipe = field(default_factory=lambda: PhaseRecipe(phase_range=(0.5, 3.0)))
    probability: float = 0.5
    count: Range = (1, 2)
    screw: float = 0.5
    offset: Range = (0.0, 0.4)
    poisson: float = 0.44

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1 or not 0 <= self.screw <= 1:
            raise UserError(f"simulate.phase: probability={self.probability}, screw={self.screw}: give 0 to 1")
        if not 0 < self.poisson < 0.5:
            raise UserError(f"simulate.phase.poisson={self.poisson}: between 0 and 0.5")

    def __call__(self, inside: Tensor, turn: Tensor, generator: torch.Generator, noise: torch.Generator) -> Tensor:
        """Phases (B, z, y, x), rad, 0 outside; as by PhaseRecipe without dislocations, else wrapped to [0, 2 pi)."""
        phase = self.smooth(inside, turn, generator, noise)
        count, size = len(inside), inside.shape[-1]
        affected = chance(self.probability, (count,), generator).to(turn.device)
        most = int(self.count[1])
        number = uniform((self.count[0], most + 1), (count,), generator).floor().clamp_max(most).to(turn.device)
        here = grid(size, turn.device).reshape(1, -1, 3).expand(count, -1, 3)
        for line in range(most):
            present = (affected & (number > line)).to(turn)
            phase = phase + self._one(here, size, turn, generator).view(inside.shape) * present.view(-1, 1, 1, 1)
        wrapped = torch.where(affected.view(-1, 1, 1, 1), phase.remainder(2 * math.pi), phase)
        return torch.where(inside, wrapped, 0.0)

    def _one(self, here: Tensor, size: int, turn: Tensor, generator: torch.Generator) -> Tensor:
        """Phases (B, P) of one random dislocation in each crystal."""
        count = len(turn)
        line, other = (random_directions(count, generator) for _ in range(2))
        slip = torch.linalg.cross(line, other)
        slip = slip / slip.norm(dim=1, keepdim=True)
        away = uniform(self.offset, (count, 1), generator) * size / 2
        screw = chance(self.screw, (count,), generator).to(turn.device)
        order = torch.where(chance(0.5, (count,), generator), 1.0, -1.0).to(turn)
        third = torch.linalg.cross(line, slip)
        through = (third * away).to(turn)
        return dislocation_phase(here - through[:, None], line.to(turn), slip.to(turn), screw, order, self.poisson)
