"""Thomson cross-section and Poisson statistics."""

import math

import pytest
import torch

from spi_lightning.errors import UserError
from spi_lightning.physics.atoms import form_factor
from spi_lightning.physics.constants import CLASSICAL_ELECTRON_RADIUS, wavelength_from_energy
from spi_lightning.physics.photons import (
    count_photons,
    count_photons_in_lumps,
    expected_photons,
    photon_halves,
    photons_per_fluence,
    pixel_solid_angle,
    polarisation_factor,
    pulse_fluence,
)


def test_one_electron_scatters_the_thomson_cross_section_forward() -> None:
    """r_e^2 is 7.94e-30 m^2 per steradian and electron; n electrons in phase give n^2."""
    electrons = torch.tensor([1.0, 10.0])[:, None, None].expand(2, 3, 4).double()
    cross_section = photons_per_fluence(electrons**2, torch.tensor([1.0, 1e-6], dtype=torch.float64))
    assert cross_section.shape == (2, 3, 4)
    assert cross_section[0, 0, 0].item() == pytest.approx(7.940787e-30, rel=1e-5)
    assert cross_section[1, 0, 0].item() == pytest.approx(7.940787e-34, rel=1e-5)


def test_counts_are_whole_seeded_and_poisson() -> None:
    intensity = torch.tensor([0.0, 0.05, 1.0, 30.0, 1000.0])[:, None].expand(5, 20_000)
    counts = count_photons(intensity, torch.Generator().manual_seed(0))
    assert torch.equal(counts, counts.round())
    assert (counts[0] == 0).all()
    assert torch.equal(counts, count_photons(intensity, torch.Generator().manual_seed(0)))
    for mean, row in zip(intensity[1:, 0].tolist(), counts[1:].double(), strict=True):
        assert row.mean().item() == pytest.approx(mean, abs=5 * math.sqrt(mean / 20_000))
        assert row.var().item() == pytest.approx(mean, abs=5 * math.sqrt((mean + 2 * mean**2) / 20_000))
    assert (counts[1] == 0).double().mean().item() == pytest.approx(math.exp(-0.05), abs=0.01)


def test_lumped_counts_keep_the_mean_and_lose_variance() -> None:
    generator = torch.Generator().manual_seed(3)
    intensity, lump = torch.full((1, 400, 400), 9.0), torch.tensor([2.0])
    counts = count_photons_in_lumps(intensity, lump, generator)
    assert torch.equal(counts, counts.round())
    assert counts.mean().item() == pytest.approx(9.0, abs=0.03)
    assert (counts.var() / counts.mean()).item() == pytest.approx(0.5, abs=0.03)


def test_halves_of_the_photons_add_up_and_are_independent() -> None:
    photons = torch.poisson(torch.full((200, 200), 7.0), generator=torch.Generator().manual_seed(0))
    first, second = (half.square().round() for half in photon_halves(photons.sqrt(), seed=3))
    assert torch.equal(first + second, photons)
    assert float(first.mean()) == pytest.approx(3.5, abs=0.03) and float(first.var()) == pytest.approx(3.5, abs=0.1)
    assert abs(float(torch.corrcoef(torch.stack([first.flatten(), second.flatten()]))[0, 1])) < 0.02


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
