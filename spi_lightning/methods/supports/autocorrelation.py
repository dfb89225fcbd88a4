"""Support of the autocorrelation, and intersections of two or three copies of it, as methods of support finding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from spi_lightning.baselines.triple_intersection import CHOICES, double_intersection, triple_intersection
from spi_lightning.errors import UserError
from spi_lightning.fields import INTENSITY, MASK, SUPPORT, Batch
from spi_lightning.fingerprint import Irrelevant
from spi_lightning.notes import Note
from spi_lightning.physics.support import autocorrelation_support
from spi_lightning.progress import Listener

from .batches import SupportMethod


@dataclass(frozen=True, kw_only=True)
class AutocorrelationSupport(SupportMethod):
    """Support of the autocorrelation, twice as wide as the particle: it holds any shift and both twins.

    Args:
        threshold: Fraction of the autocorrelation at w = 0; the parameter of the trade-off curve.
        noise: Standard deviations of shot noise that it must exceed too, in patterns of counts.
        photons: Whether intensities are counts; None: where they are whole numbers.
        connected: Whether only the part connected with w = 0 counts; None: in patterns of counts.
    """

    parameter: ClassVar[str] = "threshold"
    settings: ClassVar[Sequence[float]] = (0.03, 0.01, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5)

    name: Irrelevant[str] = "autocorrelation_support"
    threshold: float = 1e-4
    noise: float = 4.0
    photons: bool | None = None
    connected: bool | None = None

    def supports_of(self, batch: Batch, listener: Listener) -> Batch:
        """The region where the autocorrelation exceeds the threshold, cut down by ``intersected``."""
        region, values = autocorrelation_support(
            batch[INTENSITY][:, 0], batch[MASK][:, 0], self.threshold, self.noise, self.photons, self.connected
        )
        edge = torch.ones_like(region[0])
        edge[1:-1, 1:-1] = False
        if bool((region & edge).any()):
            listener.note(
                Note.of(
                    "the autocorrelation of some patterns fills the frame: the oversampling is below 2, or "
                    "noise, background or missing pixels make it seem wide. Their supports are not to be trusted"
                )
            )
        return {SUPPORT: self.intersected(region, values)}

    def intersected(self, region: Tensor, values: Tensor) -> Tensor:
        """Support of a region and the autocorrelation it was cut from, (B, H, W) each."""
        return region


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
