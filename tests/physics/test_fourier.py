"""The transform against its definition, its theorems and analytic pairs."""

import math

import pytest
import torch
from torch import Tensor

from spi_lightning.physics.fourier import (
    fourier,
    fourier_unshifted,
    inverse_fourier,
    zoom_fourier,
)

SIZES = [16, 17]


def random_density(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.complex128, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("size", SIZES)
def test_point_at_the_centre_has_a_flat_real_transform(size: int) -> None:
    density = torch.zeros(size, size, dtype=torch.complex128)
    density[size // 2, size // 2] = 1
    torch.testing.assert_close(fourier(density, ndim=2), torch.full_like(density, 1 / size))


@pytest.mark.parametrize("size", SIZES)
def test_flat_density_has_a_transform_at_the_centre_only(size: int) -> None:
    expected = torch.zeros(size, size, size, dtype=torch.complex128)
    expected[size // 2, size // 2, size // 2] = size**1.5
    torch.testing.assert_close(fourier(torch.ones(size, size, size, dtype=torch.float64), ndim=3), expected)


@pytest.mark.parametrize("size", SIZES)
def test_sign_of_the_exponent_and_origin_follow_the_definition(size: int) -> None:
    density, n = random_density(size), torch.arange(size, dtype=torch.float64) - size // 2
    kernel = torch.exp(-2j * math.pi * torch.outer(n, n) / size) / math.sqrt(size)
    torch.testing.assert_close(fourier(density, ndim=1), kernel @ density)


@pytest.mark.parametrize("size", SIZES)
def test_shift_in_real_space_is_a_phase_ramp(size: int) -> None:
    density, n = random_density(size, size), torch.arange(size, dtype=torch.float64) - size // 2
    ramp = torch.exp(-2j * math.pi * (3 * n[:, None] - 2 * n) / size)
    torch.testing.assert_close(fourier(density.roll((3, -2), (0, 1)), ndim=2), ramp * fourier(density, ndim=2))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_parseval_and_inverse(size: int, ndim: int) -> None:
    density = random_density(2, size, size, size)
    spectrum = fourier(density, ndim=ndim)
    torch.testing.assert_close(spectrum.abs().square().sum(), density.abs().square().sum())
    torch.testing.assert_close(inverse_fourier(spectrum, ndim=ndim), density)


@pytest.mark.parametrize("size", SIZES)
def test_real_density_obeys_friedel(size: int) -> None:
    spectrum = fourier(random_density(size, size).real, ndim=2)
    if size % 2 == 0:
        spectrum = spectrum[1:, 1:]  # the Nyquist line has no partner in the array
    torch.testing.assert_close(spectrum.flip(0, 1), spectrum.conj())


@pytest.mark.parametrize("size", SIZES)
def test_unshifted_form_differs_by_shifts_only(size: int) -> None:
    density = random_density(size, size)
    moved = torch.fft.fftshift(fourier_unshifted(torch.fft.ifftshift(density), ndim=2))
    torch.testing.assert_close(moved, fourier(density, ndim=2))


def test_gaussian_is_its_own_transform() -> None:
    size = 32
    n = torch.arange(size, dtype=torch.float64) - size // 2
    gaussian = torch.exp(-math.pi * (n[:, None] ** 2 + n**2) / size)
    torch.testing.assert_close(fourier(gaussian, ndim=2), gaussian + 0j)


def test_batch_axes_are_left_alone() -> None:
    density = random_density(3, 8, 8)
    torch.testing.assert_close(fourier(density, ndim=2)[1], fourier(density[1], ndim=2))


@pytest.mark.parametrize("size", SIZES)
def test_zoom_on_the_grid_of_the_fft_is_the_fft(size: int) -> None:
    density = random_density(2, size, size).real
    n = (torch.arange(size, dtype=torch.float64) - size // 2).expand(2, size)
    found = zoom_fourier(density, n, n, n / size, n / size) / size
    torch.testing.assert_close(found, fourier(density, ndim=2))


def test_zoom_takes_any_frequencies_and_positions() -> None:
    generator = torch.Generator().manual_seed(1)
    y, x, q_y, q_x = (torch.randn(2, n, dtype=torch.float64, generator=generator) for n in (5, 6, 7, 4))
    density = torch.randn(2, 5, 6, dtype=torch.float64, generator=generator)
    angle = (
        q_y[:, :, None, None, None] * y[:, None, None, :, None] + q_x[:, None, :, None, None] * x[:, None, None, None]
    )
    expected = (density[:, None, None] * torch.exp(-2j * math.pi * angle)).sum((-1, -2))
    torch.testing.assert_close(zoom_fourier(density, y, x, q_y, q_x), expected)
