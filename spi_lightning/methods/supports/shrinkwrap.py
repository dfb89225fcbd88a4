"""Phasing with shrink-wrap as a method of support finding."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import torch

from spi_lightning.fields import DENSITY, INTENSITY, MASK, SUPPORT, Batch
from spi_lightning.fingerprint import Irrelevant
from spi_lightning.phasing import phase
from spi_lightning.physics.support import autocorrelation_support
from spi_lightning.progress import Listener

from .batches import SupportMethod


@dataclass(frozen=True, kw_only=True)
class ShrinkwrapSupport(SupportMethod):
    """Last support of phasing with shrink-wrap; of several starts, that of least Fourier error.

    Args:
        recipe: Recipe of phasing, see phasing.read_recipe; it must hold shrinkwrap(...).
        starts: Number of random starts of each pattern.
        threshold: Fraction of the autocorrelation at w = 0 above which the first support lies.
        seed: Seed of the random starts.

    Source: Marchesini et al. (2003), Phys. Rev. B 68, 140101; sigma and threshold of Bellisario & Ekeberg (2024), Sect.
    5.
    """

    name: Irrelevant[str] = "shrinkwrap_support"
    batch_size: Irrelevant[int] = 32
    recipe: str = "10*(45*HIO(0.9) + 5*ER) + shrinkwrap(1.0,0.1)/25"
    starts: int = 1
    threshold: float = 0.01
    seed: int = 0

    def supports_of(self, batch: Batch, listener: Listener) -> Batch:
        """The last support and the density inside it, relative to its maximum."""
        intensity, mask = batch[INTENSITY][:, 0], batch[MASK][:, 0]
        region, _ = autocorrelation_support(intensity, mask, self.threshold)
        amplitude = torch.where(mask, intensity, 0).sqrt()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            found = phase(
                amplitude, mask, self.recipe, "positive", region, self.starts, self.seed, least_oversampling=1.0
            )
        error = found.error[-1].reshape(-1, self.starts)
        best = error.argmin(1) + torch.arange(len(error), device=error.device) * self.starts
        density = found.density[best].clamp_min(0) * found.support[best]
        top = density.amax((1, 2), keepdim=True).clamp_min(torch.finfo(density.dtype).tiny)
        return {SUPPORT: found.support[best], DENSITY: density / top}
