import math

import pytest
import torch

from spi_lightning.errors import UserError
from spi_lightning.physics.atoms.atomic_form_factor import form_factor
from spi_lightning.physics.atoms.thomson import (
    expected_photons,
    pixel_solid_angle,
    polarisation_factor,
    pulse_fluence,
)
from spi_lightning.physics.constants import CLASSICAL_ELECTRON_RADIUS, wavelength_from_energy

CENTRE = torch.tensor([64.0, 64.0])


@pytest.mark.parametrize(
    ("atomic_number", "mass", "energy", "published"),
    [
        (6, 12.011, 8000, 0.2096),
        (6, 12.011, 12000, 0.1303),
        (7, 14.007, 8000, 0.2685),
        (8, 15.999, 8000, 0.3447),
        (16, 32.06, 12000, 0.5807),
    ],
)
def test_cross_sections_are_the_published_ones(
    atomic_number: int, mass: float, energy: float, published: float
) -> None:
    """Coherent cross sections, cm^2/g, of Elam, Ravel & Sieber (2002)."""
    angle = torch.linspace(0, math.pi, 2001, dtype=torch.float64)
    factor = form_factor(atomic_number, 2 * torch.sin(angle / 2) / wavelength_from_energy(energy))
    density = factor.square() * (1 + angle.cos() ** 2) * math.pi * angle.sin()  # unpolarised light, all directions
    total = CLASSICAL_ELECTRON_RADIUS**2 * float(torch.trapezoid(density, angle))
    per_gram = total * 1e4 * 6.02214076e23 / mass
    assert per_gram == pytest.approx(published, rel=3e-3)


def test_a_free_electron_scatters_the_thomson_cross_section_into_a_sphere() -> None:
    """Six faces of a cube around an electron: 8 pi r_e^2 / 3 for unpolarised light, of which one face here."""
    shape, pixel, distance = (128, 128), 1e-3, 0.064
    centre = torch.tensor([63.5, 63.5])
    solid = pixel_solid_angle(shape, pixel, distance, centre)
    assert float(solid.sum()) == pytest.approx(4 * math.pi / 6, rel=1e-3)
    horizontal, vertical, none = (
        polarisation_factor(shape, pixel, distance, centre, name) for name in ("horizontal", "vertical", "none")
    )
    torch.testing.assert_close((horizontal + vertical) / 2, none)
    torch.testing.assert_close(horizontal, vertical.T)
    photons = expected_photons(torch.ones(shape), 1.0, solid * none)
    assert 0.5 < float(photons.sum()) / (8 * math.pi / 3 * CLASSICAL_ELECTRON_RADIUS**2 / 6) < 1.6


def test_the_centre_is_the_small_angle_limit() -> None:
    solid = pixel_solid_angle((128, 128), 4e-4, 0.3, CENTRE)
    assert float(solid[64, 64]) == pytest.approx((4e-4 / 0.3) ** 2)
    assert float(polarisation_factor((128, 128), 4e-4, 0.3, CENTRE)[64, 64]) == 1


def test_the_fluence_of_the_paper() -> None:
    """5 mJ of 8 keV in 200 nm: 3.9e12 photons, 1.2e14 / um^2."""
    assert pulse_fluence(5e-3, 2e-7, 8000) == pytest.approx(1.2417e26, rel=1e-3)


def test_an_unknown_polarisation() -> None:
    with pytest.raises(UserError, match="polarisation=round"):
        polarisation_factor((4, 4), 1.0, 1.0, CENTRE, "round")
