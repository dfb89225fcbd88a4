"""Expected photons by Thomson scattering, counting statistics and its errors, and halving of photons.

The solid angle and polarisation of every pixel hold away from small angles: checked against the coherent cross sections
of Elam, Ravel & Sieber (2002) for C, N, O and S at 8 to 12 keV, 0.2 %; photons_per_fluence is the small-angle limit.
"""

import math

import torch
from torch import Tensor

from spi_lightning.errors import UserError

from .constants import CLASSICAL_ELECTRON_RADIUS, ELEMENTARY_CHARGE

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
    """Whether the squares of amplitudes (P, spatial) are whole numbers, not all 0, as photons are: (P,) bool.

    The root and the square round, so that numbers within 1e-2 + 1e-6 of themselves count as whole. Of intensities as
    they were read, which are exact, see physics.support.are_counts.
    """
    intensity = fourier_amplitude.square()
    off = (intensity - intensity.round()).abs() - 1e-6 * intensity
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


POLARISATIONS = ("horizontal", "vertical", "none")


def pulse_fluence(pulse_energy: float, focus_diameter: float, photon_energy: float) -> float:
    """Fluence of a pulse in a uniform round focus; photons/m^2.

    Args:
        pulse_energy: Energy of the pulse, J.
        focus_diameter: Diameter of the focus, m.
        photon_energy: Photon energy of the pulse, eV.
    """
    photons = pulse_energy / (photon_energy * ELEMENTARY_CHARGE)
    return photons / (math.pi * (focus_diameter / 2) ** 2)


def pixel_solid_angle(shape: tuple[int, int], pixel_size: float, distance: float, beam_centre: Tensor) -> Tensor:
    """Solid angle of every pixel of a flat detector, pixel_size^2 distance / R^3.

    Args:
        shape: Detector height and width, pixel.
        pixel_size, distance: Pixel edge, particle to detector; m.
        beam_centre: (2,) row, column where the beam meets the detector, pixel.

    Returns:
        (H, W) sr; to first order in the angle that a pixel covers.
    """
    y, x = _offsets(shape, pixel_size, beam_centre)
    return pixel_size**2 * distance / (distance**2 + y**2 + x**2) ** 1.5


def polarisation_factor(
    shape: tuple[int, int], pixel_size: float, distance: float, beam_centre: Tensor, polarisation: str = "horizontal"
) -> Tensor:
    """Share of the cross section that the polarisation leaves, 1 - (n.e)^2 for linear light, (H, W).

    ``horizontal`` is along x; ``none`` averages over directions, (1 + cos^2) / 2. Other arguments: pixel_solid_angle.

    Raises:
        UserError: The polarisation is unknown.
    """
    if polarisation not in POLARISATIONS:
        raise UserError(f"polarisation={polarisation} is unknown: choose one of {', '.join(POLARISATIONS)}")
    y, x = _offsets(shape, pixel_size, beam_centre)
    squared = distance**2 + y**2 + x**2
    along_y, along_x = y**2 / squared, x**2 / squared
    if polarisation == "none":
        return 1 - (along_y + along_x) / 2
    return 1 - (along_x if polarisation == "horizontal" else along_y)


def expected_photons(electrons_squared: Tensor, fluence: Tensor | float, acceptance: Tensor) -> Tensor:
    """Photons scattered into pixels: r_e^2 x fluence x solid angle x polarisation factor x |F|^2.

    Args:
        electrons_squared: (..., H, W) |F(q)|^2 in electrons^2.
        fluence: Fluence of the pulse, photons/m^2, broadcastable against (..., H, W).
        acceptance: (H, W) solid angle times polarisation factor; sr.

    Returns:
        (..., H, W) expected photons.
    """
    return CLASSICAL_ELECTRON_RADIUS**2 * fluence * acceptance * electrons_squared


def _offsets(shape: tuple[int, int], pixel_size: float, beam_centre: Tensor) -> tuple[Tensor, Tensor]:
    """Position of the pixels from the beam along y (H, 1) and x (1, W); m, float64."""
    device = beam_centre.device
    y, x = (torch.arange(n, dtype=torch.float64, device=device) for n in shape)
    return (y[:, None] - beam_centre[0]) * pixel_size, (x[None, :] - beam_centre[1]) * pixel_size
