"""Supports as intersections of two or three copies of the autocorrelation's support."""

from typing import Any

from torch import Tensor

from spi_lightning.baselines.triple_intersection import CHOICES, double_intersection, triple_intersection
from spi_lightning.errors import UserError

from .autocorrelation import AutocorrelationSupport


class TripleIntersection(AutocorrelationSupport):
    """Three copies of the autocorrelation's support, shifted to extremal points of one particle.

    Args:
        name: Shown in tables.
        choice: ``tested``, ``guaranteed`` or ``smallest``, see baselines.triple_intersection.
        directions: In which extremal points are looked for.
        **options: See AutocorrelationSupport.

    Source: Crimmins, Fienup & Thelen (1990); Bellisario & Ekeberg (2024), Sect. 3.
    """

    def __init__(
        self, name: str = "triple_intersection", choice: str = "tested", directions: int = 32, **options: Any
    ) -> None:
        super().__init__(name, **options)
        if choice not in CHOICES:
            raise UserError(f"settings.{name}.choice={choice} is unknown; choose one of {', '.join(CHOICES)}.")
        if directions < 4:
            raise UserError(f"settings.{name}.directions={directions} must be 4 or more.")
        self.choice, self.directions = choice, directions

    def intersected(self, region: Tensor, values: Tensor) -> Tensor:
        """The triple intersection, (B, H, W) bool."""
        return triple_intersection(region, values, self.choice, self.directions)


class DoubleIntersection(AutocorrelationSupport):
    """Two copies of the autocorrelation's support: always centrosymmetric.

    Args:
        name: Shown in tables.
        directions: In which extremal points are looked for.
        **options: See AutocorrelationSupport.
    """

    def __init__(self, name: str = "double_intersection", directions: int = 32, **options: Any) -> None:
        super().__init__(name, **options)
        self.directions = directions

    def intersected(self, region: Tensor, values: Tensor) -> Tensor:
        """The double intersection, (B, H, W) bool."""
        return double_intersection(region, self.directions)
