"""X-ray form factors of atoms: sums of Gaussians from the International Tables, through gemmi."""

from functools import cache

import gemmi
import torch
from torch import Tensor

from spi_lightning.errors import UserError

ANGSTROM = 1e-10


@cache
def form_factor_coefficients(atomic_number: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Five amplitudes (electrons) and five widths b (m^2) of a neutral atom.

    Four Gaussians and a constant, which is a fifth of width 0; scaled by less than 0.2 % so that the amplitudes add up
    to the atomic number. gemmi's C4322 coefficients are those of electron scattering (Mott-Bethe) and not used.

    Raises:
        UserError: The atomic number is outside 1 to 98.

    Source: International Tables for Crystallography C (1992), Table 6.1.1.4.
    """
    element = gemmi.Element(atomic_number)
    if not 1 <= atomic_number <= 98 or element.it92 is None:
        raise UserError(f"atomic number {atomic_number}: form factors are known for 1 (H) to 98 (Cf) only")
    amplitude = [*element.it92.a, element.it92.c]
    scale = atomic_number / sum(amplitude)
    return tuple(a * scale for a in amplitude), tuple(b * ANGSTROM**2 for b in (*element.it92.b, 0.0))


def form_factor(atomic_number: int, q: Tensor) -> Tensor:
    """X-ray form factor f(q) = sum a exp(-b (q / 2)^2) of a neutral atom.

    Args:
        atomic_number: Atomic number, 1 to 98.
        q: Scattering vector lengths 2 sin(theta) / wavelength, any shape; 1/m. Tabulated up to 4 / Angstrom.

    Returns:
        Electrons, of the shape and dtype of ``q``; f(0) is the atomic number.
    """
    amplitude, width = form_factor_coefficients(atomic_number)
    quarter = (q * ANGSTROM).square() / 4  # in Angstrom, so that float32 neither over- nor underflows
    total = torch.full_like(quarter, amplitude[4])
    for a, b in zip(amplitude[:4], width[:4], strict=True):
        total += a * torch.exp(-b / ANGSTROM**2 * quarter)
    return total


def resolution_width(resolution: float) -> float:
    """Gaussian width that blurs a map to a resolution, resolution / (pi sqrt 2) = 0.225 resolution; m.

    The transform falls to 1/e at q = 1 / resolution. Source: the default of ChimeraX's molmap, used by
    Bellisario & Ekeberg (2024).
    """
    return resolution * 2**-0.5 / torch.pi
