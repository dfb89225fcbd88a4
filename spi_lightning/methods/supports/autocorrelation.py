"""Supports straight from a pattern: where its autocorrelation is not zero."""

from collections.abc import Sequence
from copy import copy
from typing import Self

import torch
from torch import Tensor

from spi_lightning.distributed import find_device
from spi_lightning.fields import INTENSITY, MASK, SUPPORT, Batch
from spi_lightning.notes import Note
from spi_lightning.physics.autocorrelation import autocorrelation_support
from spi_lightning.results.hit_answer import Notes
from spi_lightning.results.support_answer import BatchAnswers

_KNOB = (0.03, 0.01, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5)


class AutocorrelationSupport(BatchAnswers):
    """The support of the autocorrelation, twice as wide as the particle: it holds any shift and both twins.

    Args:
        name: Shown in tables.
        threshold: Fraction of the autocorrelation at w = 0; the parameter of the trade-off curve.
        noise: Standard deviations of shot noise that it must exceed too, in patterns of counts.
        photons, connected: See physics.autocorrelation.
        device: ``auto``, ``cpu``, ``cuda``, ...
        batch_size: Patterns computed together.
    """

    parameter = "threshold"
    settings: Sequence[float] = _KNOB

    def __init__(
        self,
        name: str = "autocorrelation_support",
        threshold: float = 1e-4,
        noise: float = 4.0,
        photons: bool | None = None,
        connected: bool | None = None,
        device: str = "auto",
        batch_size: int = 64,
    ) -> None:
        super().__init__(name, find_device(device), batch_size)
        self.threshold, self.noise, self.photons, self.connected = threshold, noise, photons, connected

    def at(self, setting: float) -> Self:
        """The same method at another threshold."""
        other = copy(self)
        other.threshold, other.notes = setting, Notes()
        return other

    def supports_of(self, batch: Batch) -> Batch:
        """The region alone; intersections override ``intersected``."""
        region, values = autocorrelation_support(
            batch[INTENSITY][:, 0], batch[MASK][:, 0], self.threshold, self.noise, self.photons, self.connected
        )
        self._look_at(region)
        return {SUPPORT: self.intersected(region, values)}

    def intersected(self, region: Tensor, values: Tensor) -> Tensor:
        """Support of a region and the autocorrelation it was cut from, (B, H, W) each."""
        return region

    def _look_at(self, region: Tensor) -> None:
        """Say so where the autocorrelation reaches the edge of the frame."""
        edge = torch.ones_like(region[0])
        edge[1:-1, 1:-1] = False
        if bool((region & edge).any()):
            self.notes.say(
                Note.of(
                    "the autocorrelation of some patterns fills the frame: the oversampling is below 2, or "
                    "noise, background or missing pixels make it seem wide. Their supports are not to be trusted.",
                    self.name,
                )
            )
