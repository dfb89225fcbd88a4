"""Intersections of two or three copies of the autocorrelation's support as methods of support finding."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from spi_lightning.baselines.triple_intersection import CHOICES, double_intersection, triple_intersection
from spi_lightning.errors import UserError
from spi_lightning.fingerprint import Irrelevant

from .autocorrelation import AutocorrelationSupport


@dataclass(frozen=True, kw_only=True)
class TripleIntersection(AutocorrelationSupport):
    """Intersection of three copies of the autocorrelation's support, shifted to extremal points of one particle.

    Args:
        choice: Shifts that are used: ``tested``, ``guaranteed`` or ``smallest``, see baselines.triple_intersection.
        directions: Number of directions in which extremal points are looked for.

    Source: Crimmins, Fienup & Thelen (1990); Bellisario & Ekeberg (2024), Sect. 3.
    """

    name: Irrelevant[str] = "triple_intersection"
    choice: str = "tested"
    directions: int = 32

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.choice not in CHOICES:
            raise UserError(f"settings.{self.name}.choice={self.choice} is unknown; choose one of {', '.join(CHOICES)}")
        if self.directions < 4:
            raise UserError(f"settings.{self.name}.directions={self.directions} must be 4 or more")

    def intersected(self, region: Tensor, values: Tensor) -> Tensor:
        """The triple intersection, (B, H, W) bool."""
        return triple_intersection(region, values, self.choice, self.directions)


@dataclass(frozen=True, kw_only=True)
class DoubleIntersection(AutocorrelationSupport):
    """Intersection of two copies of the autocorrelation's support: always centrosymmetric.

    Args:
        directions: Number of directions in which extremal points are looked for.
    """

    name: Irrelevant[str] = "double_intersection"
    directions: int = 32

    def intersected(self, region: Tensor, values: Tensor) -> Tensor:
        """The double intersection, (B, H, W) bool."""
        return double_intersection(region, self.directions)
