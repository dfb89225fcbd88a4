"""Scattering vectors lie on the Ewald sphere, on the ray of their pixel."""

import math

import pytest
import torch
from torch import Tensor

from spi_lightning.physics.constants import wavelength_from_energy
from spi_lightning.physics.ewald import ewald_depth, scattering_vectors, small_angle_frequencies

SHAPE = (16, 17)
CENTRE = torch.tensor([[7.5, 8.25], [3.0, 20.0]], dtype=torch.float64)


def geometry() -> tuple[Tensor, Tensor, Tensor]:
    """Pixel size, distance, wavelength; m. The first is that of PR772, the second scatters up to wide angles."""
    return tuple(torch.tensor(pair, dtype=torch.float64) for pair in ((6e-4, 1e-2), (0.581, 0.1), (7.9e-10, 2e-10)))  # type: ignore[return-value]


def test_every_vector_ends_on_the_ewald_sphere() -> None:
    pixel_size, distance, wavelength = geometry()
    q = scattering_vectors(SHAPE, pixel_size, distance, wavelength, CENTRE)
    incident = torch.tensor([1.0, 0, 0], dtype=torch.float64) / wavelength[:, None, None, None]
    assert q.shape == (2, *SHAPE, 3)
    torch.testing.assert_close((q + incident).norm(dim=-1) * wavelength[:, None, None], torch.ones(2, *SHAPE).double())


def test_scattered_ray_meets_its_pixel() -> None:
    pixel_size, distance, wavelength = geometry()
    ray = scattering_vectors(SHAPE, pixel_size, distance, wavelength, CENTRE) * wavelength[:, None, None, None]
    ray[..., 0] += 1
    hit = ray[..., 1:] / ray[..., :1] * (distance / pixel_size)[:, None, None, None] + CENTRE[:, None, None]
    y, x = torch.meshgrid(torch.arange(16).double(), torch.arange(17).double(), indexing="ij")
    torch.testing.assert_close(hit, torch.stack([y, x], dim=-1).expand_as(hit))


def test_length_is_bragg_law() -> None:
    pixel_size, distance, wavelength = (value[:1] for value in geometry())
    q = scattering_vectors((1, 1), pixel_size, distance, wavelength, torch.tensor([[0.0, -200.0]], dtype=torch.float64))
    two_theta = math.atan(200 * 6e-4 / 0.581)
    assert q.norm().item() == pytest.approx(2 * math.sin(two_theta / 2) / 7.9e-10)


def test_beam_centre_has_no_momentum_transfer() -> None:
    pixel_size, distance, wavelength = (value[:1] for value in geometry())
    q = scattering_vectors((5, 5), pixel_size, distance, wavelength, torch.tensor([[2.0, 3.0]], dtype=torch.float64))
    assert q[0, 2, 3].abs().max() == 0


def test_small_angle_limit_is_approached_with_the_square_of_the_angle() -> None:
    pixel_size, distance, wavelength = (value[:1] for value in geometry())
    for factor in (1, 4):
        q = scattering_vectors(SHAPE, pixel_size, factor * distance, wavelength, CENTRE[:1])
        q_y, q_x = small_angle_frequencies(SHAPE, pixel_size, factor * distance, wavelength, CENTRE[:1])
        angle = 8.25 * math.sqrt(2) * 6e-4 / (factor * 0.581)
        for exact, limit in ((q[0, ..., 1], q_y[0, :, None]), (q[0, ..., 2], q_x[0])):
            assert ((limit / exact - 1).abs() <= angle**2 / 2 * 1.01).all()


def test_depth_lies_on_the_sphere_and_agrees_with_the_exact_vectors() -> None:
    pixel_size, distance, wavelength = (value[:1] for value in geometry())
    q = scattering_vectors(SHAPE, pixel_size, distance, wavelength, CENTRE[:1])
    q_y, q_x = small_angle_frequencies(SHAPE, pixel_size, distance, wavelength, CENTRE[:1])
    depth = ewald_depth(q_y, q_x, wavelength)
    assert (depth <= 0).all()
    sphere = q_y[:, :, None] ** 2 + q_x[:, None] ** 2 + (depth + 1 / wavelength[:, None, None]) ** 2
    torch.testing.assert_close(sphere * wavelength**2, torch.ones_like(sphere))
    torch.testing.assert_close(depth, q[..., 0], rtol=1e-3, atol=1e-12)


def test_depth_is_half_the_wavelength_times_q_squared_in_float32_too() -> None:
    """1/lambda is a thousand times larger than the transverse q here: the difference must not be taken directly."""
    wavelength = torch.tensor([7.9e-10])
    q = torch.linspace(-8e5, 8e5, 9)[None]
    expected = -0.5 * 7.9e-10 * (q[:, :, None] ** 2 + q[:, None] ** 2)
    torch.testing.assert_close(ewald_depth(q, q, wavelength), expected, rtol=1e-5, atol=0)


def test_energy_and_wavelength() -> None:
    assert wavelength_from_energy(1569.42) == pytest.approx(7.9e-10, rel=1e-5)
