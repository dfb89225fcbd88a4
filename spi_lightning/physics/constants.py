"""Physical constants (CODATA 2018) and the conversions between photon energy and wavelength."""

from typing import Final

PLANCK_SPEED_OF_LIGHT_EV_M: Final = 1.239841984e-6
ELEMENTARY_CHARGE: Final = 1.602176634e-19
CLASSICAL_ELECTRON_RADIUS: Final = 2.8179403262e-15


def wavelength_from_energy(photon_energy: float) -> float:
    """Wavelength (m) of photons of ``photon_energy`` (eV); tensors pass through."""
    return PLANCK_SPEED_OF_LIGHT_EV_M / photon_energy
