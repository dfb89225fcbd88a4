"""From amplitudes to photons: Thomson scattering into pixels, and counting statistics."""

import torch
from torch import Tensor

from .constants import CLASSICAL_ELECTRON_RADIUS


def photons_per_fluence(electrons_squared: Tensor, solid_angle: Tensor) -> Tensor:
    """Expected photons in a pixel per unit fluence: r_e^2 |F_e|^2 dOmega, in the small-angle limit (polarisation 1).

    Args:
        electrons_squared: (B, H, W) squared modulus of the transform of the electron density; electrons^2.
        solid_angle: (B,) solid angle of a pixel at the beam centre; sr.

    Returns:
        (B, H, W); m^2. Times a fluence in photons/m^2 this is a count.
    """
    return CLASSICAL_ELECTRON_RADIUS**2 * solid_angle[:, None, None] * electrons_squared


def count_photons(intensity: Tensor, generator: torch.Generator) -> Tensor:
    """Poisson counts around the expected intensity (photons), any shape; the generator lives on the same device."""
    return torch.poisson(intensity, generator=generator)


def count_photons_in_lumps(intensity: Tensor, photons_per_count: Tensor, generator: torch.Generator) -> Tensor:
    """Counts of a detector whose unit is worth several photons: variance over mean is 1 / photons_per_count.

    Args:
        intensity: (B, H, W) expected counts.
        photons_per_count: (B,) photons that make one count, 1 or more.
        generator: On the same device.

    Returns:
        (B, H, W) whole counts; fractions are rounded up or down at random, so that the mean stays.
    """
    lump = photons_per_count[:, None, None]
    counts = torch.poisson(intensity * lump, generator=generator).div_(lump)
    return counts.add_(torch.rand(counts.shape, generator=generator, device=counts.device)).floor_()


def photon_halves(amplitude: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """Amplitudes of two halves of the photons of a pattern, each photon in either with probability 1/2.

    Args:
        amplitude: (...) square roots of counts, on any device; their squares are rounded to whole photons.
        seed: Draws the halves, the same on every device.

    Returns:
        Two of the same shape, dtype and device, whose squares add up to the counts. The halves of Poisson counts are
        independent Poisson counts of half the intensity.
    """
    generator = torch.Generator().manual_seed(seed)
    photons = amplitude.square().cpu().round()
    first = torch.binomial(photons, torch.full_like(photons, 0.5), generator=generator)
    second = (photons - first).clamp_min(0)
    return first.sqrt().to(amplitude), second.sqrt().to(amplitude)
