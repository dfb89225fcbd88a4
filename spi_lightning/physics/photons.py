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
