"""Expected photons by Thomson scattering, counting statistics and its errors, and halving of photons."""

import torch
from torch import Tensor

from .constants import CLASSICAL_ELECTRON_RADIUS

_SPARSE = (1.708, -1.963, 2.960, -0.949)  # mean square error of an amplitude at 1 to 4 photons, see counting_error


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
        generator: Random generator on the same device.

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


def holds_counts(fourier_amplitude: Tensor) -> Tensor:
    """Whether the squares of amplitudes (P, spatial) are whole numbers, not all 0, as photons are: (P,) bool."""
    intensity = fourier_amplitude.square()
    off = (intensity - intensity.round()).abs() - 1e-6 * intensity  # the root and the square round
    return (off.flatten(1).amax(1) < 0.01) & (intensity.flatten(1).amax(1) > 0.5)


def counting_error(fourier_amplitude: Tensor, mask: Tensor, counts: bool | None = None) -> Tensor:
    """Relative Fourier error of the true density by photon noise: (P,), 0 for intensities that are not counts.

    The mean of (sqrt(N) - sqrt(mean of N))^2 is 1/4 for many photons and twice the mean for few; the numbers t(N) for
    N = 1 to 4, fitted here, make the mean of t(N) follow it within 10 % between 0.003 and 60 photons per pixel, so
    that their sum over a pattern estimates it without knowing the means.

    Args:
        fourier_amplitude: (P, spatial) float, square roots of counts.
        mask: (P, spatial) bool, True where a pixel counts.
        counts: Whether the squares are photon counts, also where sums over partly measured pixels are not whole
            numbers; None: where all squares are whole.
    """
    photons = torch.where(mask, fourier_amplitude.square(), 0).flatten(1).round()
    noise = torch.where(photons > len(_SPARSE), 0.25 + 3 / 32 / photons.clamp_min(1), 0)
    for number, term in enumerate(_SPARSE, start=1):
        noise = torch.where(photons == number, term, noise)
    relative = (noise.sum(1).clamp_min(0) / photons.sum(1).clamp_min(1)).sqrt()
    if counts is None:
        return torch.where(holds_counts(torch.where(mask, fourier_amplitude, 0)), relative, 0)
    return relative if counts else torch.zeros_like(relative)
