"""Dislocations: displacement around a straight line defect, and its phase in a Bragg density."""

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.simulate.draws import Range, chance, random_directions, uniform

from .phase_field import PhaseRecipe
from .superellipsoid import grid


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


@dataclass
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
