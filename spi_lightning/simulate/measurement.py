"""Measurement of an ideal pattern of one particle: photon noise, background, missing pixels."""

import torch
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.physics.detector import radius_in_pixels
from spi_lightning.physics.photons import count_photons

from .draws import Range, chance, log_uniform, recipe, uniform

_SPECKLE = (1.22, 2.23)  # first and second dark ring of a disc, in units of 1 / diameter


@recipe
class Measurement:
    """Ranges of the imperfections of a measurement, one draw per pattern; all off by default.

    The first bright ring lies at 1.22 to 2.23 / D, where D = 2 sqrt(2) radius of gyration is the diameter of the disc
    of the same size, and a speckle covers (n / D)^2 pixels.

    Attributes:
        photons_per_speckle: Photons in a speckle of the first bright ring, log-uniform, then Poisson counts; None: the
            intensity stays.
        background: Expected photons per pixel, uniform; needs photons_per_speckle.
        beamstop: Radius of the missing centre, pixel, uniform.
        gap: Rows of a horizontal gap through the centre, pixel, uniform, rounded.
        dead_fraction: Share of dead single pixels.
    """

    photons_per_speckle: Range | None = None
    background: Range = (0.0, 0.0)
    beamstop: Range = (0.0, 0.0)
    gap: Range = (0.0, 0.0)
    dead_fraction: float = 0.0

    def __post_init__(self) -> None:
        if self.photons_per_speckle is not None and min(self.photons_per_speckle) <= 0:
            raise UserError(f"measurement.photons_per_speckle={list(self.photons_per_speckle)} must be above 0")

    def __call__(
        self, intensity: Tensor, diameter: Tensor, generator: torch.Generator, counts: bool = False
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Measure patterns whose beam centre is pixel n // 2.

        Args:
            intensity: (B, H, W) relative intensities, or with ``counts`` expected photons.
            diameter: (B,) diameters of the particles (``disc_diameter``); pixel of the density of the same shape.
            generator: Random generator on the CPU.
            counts: Whether to draw counts without photons_per_speckle too.

        Returns:
            The measured patterns (B, H, W), 0 where the mask is False; the mask, bool; and the factors (B,) from
            relative intensity to photons, 1 without them.

        Raises:
            UserError: The background has no photons to add to.
        """
        count, shape = len(intensity), (intensity.shape[1], intensity.shape[2])
        scale = torch.ones(count, device=intensity.device)
        measured = intensity
        if self.photons_per_speckle is not None:
            photons = log_uniform(self.photons_per_speckle, (count,), generator).to(intensity.device)
            scale = photons / first_speckle(intensity, diameter)
        elif max(self.background) > 0 and not counts:
            raise UserError("measurement.background counts photons: give measurement.photons_per_speckle=[10,1e4] too")
        if counts or self.photons_per_speckle is not None:
            background = uniform(self.background, (count, 1, 1), generator).to(intensity.device)
            measured = count_photons(intensity * scale[:, None, None] + background, _like(generator, intensity))
        mask = self._mask(count, shape, generator).to(intensity.device)
        return measured * mask, mask, scale

    def _mask(self, count: int, shape: tuple[int, int], generator: torch.Generator) -> Tensor:
        mask = torch.ones(count, *shape, dtype=torch.bool)
        if max(self.beamstop) > 0:
            centre = torch.tensor([n // 2 for n in shape], dtype=torch.float32).expand(count, 2)
            mask &= radius_in_pixels(shape, centre) >= uniform(self.beamstop, (count, 1, 1), generator)
        if max(self.gap) > 0:
            rows = uniform(self.gap, (count, 1, 1), generator).round()
            mask &= ~((torch.arange(shape[0]) - shape[0] // 2 + 0.5).abs()[None, :, None] < rows / 2)
        if self.dead_fraction > 0:
            mask &= ~chance(self.dead_fraction, (count, *shape), generator)
        return mask


def disc_diameter(density: Tensor) -> Tensor:
    """Diameter of the uniform disc with a projected density's radius of gyration, (B, H, W) -> (B,) pixel."""
    y = torch.arange(density.shape[1], device=density.device, dtype=density.dtype) - density.shape[1] // 2
    x = torch.arange(density.shape[2], device=density.device, dtype=density.dtype) - density.shape[2] // 2
    radius = y.square()[:, None] + x.square()
    squared = (density * radius).sum((1, 2)) / density.sum((1, 2))
    return (8 * squared).sqrt().clamp_min(1.0)


def first_speckle(intensity: Tensor, diameter: Tensor) -> Tensor:
    """Mean intensity of a speckle of the first bright ring around pixel n // 2; see Measurement.

    Args:
        intensity: (B, H, W) intensities.
        diameter: (B,) diameters, pixel of the density of the same shape.

    Returns:
        (B,) intensity summed over a speckle's area.
    """
    height, width = intensity.shape[1:]
    centre = torch.tensor([[height // 2, width // 2]], dtype=torch.float32, device=intensity.device)
    speckle = (width / diameter)[:, None, None]
    radius = radius_in_pixels((height, width), centre) / speckle
    ring = (radius >= _SPECKLE[0]) & (radius <= _SPECKLE[1])
    mean = (intensity * ring).sum((1, 2)) / ring.sum((1, 2)).clamp_min(1)
    return (mean * speckle[:, 0, 0].square()).clamp_min(torch.finfo(intensity.dtype).tiny)


def _like(generator: torch.Generator, tensor: Tensor) -> torch.Generator:
    """Generator on the device of a tensor, seeded from this one."""
    if tensor.device.type == "cpu":
        return generator
    seed = int(torch.randint(2**62, (), generator=generator))
    return torch.Generator(tensor.device).manual_seed(seed)
