import pytest
import torch

from spi_lightning.io import open_patterns
from spi_lightning.physics.frames.beam_centre import find_beam_centre
from spi_lightning.physics.frames.sphere_fit import fit_sphere, radial_profile, sphere_amplitude
from tests.simulate.form_factors import sphere_form_factor

GEOMETRY = {"distance": 0.581, "pixel_size": 6e-4, "wavelength": 7.9e-10}
CENTRE = torch.tensor([62.6, 64.1])


def scattering(shape=(128, 128)) -> torch.Tensor:
    y, x = (torch.arange(n)[:, None] - c for n, c in zip(shape, CENTRE, strict=True))
    theta = torch.atan(torch.hypot(y, x.T) * GEOMETRY["pixel_size"] / GEOMETRY["distance"])
    return 2 * torch.sin(theta / 2) / GEOMETRY["wavelength"]


@pytest.fixture
def mask() -> torch.Tensor:
    mask = torch.ones(128, 128, dtype=torch.bool)
    mask[60:68, 60:68] = mask[63:65] = False
    return mask


def test_amplitude_is_that_of_the_exact_form_factor() -> None:
    q = torch.linspace(0, 3e8, 200, dtype=torch.float64)
    exact = sphere_form_factor(q[:, None] * torch.tensor([0.0, 0.6, 0.8]), 25e-9)
    torch.testing.assert_close(sphere_amplitude(q, torch.tensor(50e-9)), exact / exact[0], atol=2e-6, rtol=0)


def test_profile_averages_measured_pixels_only(mask) -> None:
    photons = torch.where(mask, torch.full((2, 128, 128), 3.0), torch.tensor(99.0))
    profile, pixels = radial_profile(photons, mask, CENTRE, 64)
    assert ((profile == 3) | (pixels == 0)).all()
    assert pixels[0].sum() <= mask.sum()
    assert pixels[0, 0] == 0  # the beam hole


@pytest.mark.parametrize("forward", [30.0, 400.0])
def test_sizes_of_spheres_are_found(mask, forward) -> None:
    diameters = torch.tensor([25.0, 40, 60, 61, 85, 120, 160]) * 1e-9
    intensity = forward * sphere_amplitude(scattering(), diameters[:, None, None]) ** 2
    fit = fit_sphere(torch.poisson(intensity) * mask, mask, CENTRE, **GEOMETRY)
    torch.testing.assert_close(fit.diameter, diameters, rtol=0.02, atol=0)
    torch.testing.assert_close(fit.amplitude, torch.full((7,), forward**0.5), rtol=0.1, atol=0)
    assert (fit.quality > 0.8).all()


def test_one_centre_for_each_pattern_and_own_sizes(mask) -> None:
    intensity = 300 * sphere_amplitude(scattering(), torch.tensor(60e-9)) ** 2
    moved = torch.stack([intensity, intensity.roll((4, -5), (0, 1))])
    centres = torch.stack([CENTRE, CENTRE + torch.tensor([4, -5])])
    fit = fit_sphere(moved, mask, centres, **GEOMETRY, diameters=torch.logspace(-7.5, -7, 80))
    torch.testing.assert_close(fit.diameter, torch.full((2,), 60e-9), rtol=0.01, atol=0)


def test_an_empty_frame_explains_nothing(mask) -> None:
    fit = fit_sphere(torch.zeros(1, 128, 128), mask, CENTRE, **GEOMETRY)
    assert fit.quality == 0
    assert fit.amplitude == 0
    assert fit.diameter.isfinite().all()


def test_the_virus_has_its_published_size(spi_data) -> None:
    file = open_patterns(spi_data / "spi" / "pr772_dev.h5")
    photons, mask = torch.from_numpy(file.read(range(25))), torch.as_tensor(file.mask)
    fit = fit_sphere(photons, mask, find_beam_centre(photons, mask).centre, **GEOMETRY)
    single = torch.from_numpy(file.labels["is_single_hit"]) == 1
    assert fit.diameter[single].median() == pytest.approx(60e-9, rel=0.05)
    assert fit.diameter[15] > 90e-9  # labelled single, but looks like an aggregate
