"""The support that shrink-wrap ends with: phasing as a method of support finding."""

import warnings

import torch

from spi_lightning.distributed import find_device
from spi_lightning.fields import DENSITY, INTENSITY, MASK, SUPPORT, Batch
from spi_lightning.phasing import phase
from spi_lightning.physics.autocorrelation import autocorrelation_support
from spi_lightning.results.support_answer import BatchAnswers


class ShrinkwrapSupport(BatchAnswers):
    """Phasing from the autocorrelation's support with shrink-wrap; of several starts, the one of least Fourier error.

    Args:
        name: Shown in tables.
        recipe: See phasing.read_recipe; it must hold shrinkwrap(...).
        starts: Random starts of each pattern.
        threshold: Of the autocorrelation's support.
        seed: Of the starts.
        device, batch_size: See BatchAnswers.

    Source: Marchesini et al. (2003), Phys. Rev. B 68, 140101; sigma and threshold of Bellisario & Ekeberg (2024), Sect.
    5.
    """

    def __init__(
        self,
        name: str = "shrinkwrap_support",
        recipe: str = "10*(45*HIO(0.9) + 5*ER) + shrinkwrap(1.0,0.1)/25",
        starts: int = 1,
        threshold: float = 0.01,
        seed: int = 0,
        device: str = "auto",
        batch_size: int = 32,
    ) -> None:
        super().__init__(name, find_device(device), batch_size)
        self.recipe, self.starts, self.threshold, self.seed = recipe, starts, threshold, seed

    def supports_of(self, batch: Batch) -> Batch:
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
