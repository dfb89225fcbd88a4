""" """

import math

import gemmi
import pytest
import torch

from spi_lightning.errors import UserError
from spi_lightning.physics.atoms import (
    ANGSTROM,
    KaiserBessel,
    form_factor,
    form_factor_coefficients,
    resolution_width,
    splat,
)

ELEMENTS = (1, 6, 7, 8, 15, 16, 26, 53, 92)


@pytest.mark.parametrize("atomic_number", ELEMENTS)
def test_forward_scattering_counts_the_electrons(atomic_number: int) -> None:
    forward = form_factor(atomic_number, torch.zeros(1, dtype=torch.float64))
    assert float(forward) == pytest.approx(atomic_number, rel=1e-12)
    raw = gemmi.Element(atomic_number).it92
    assert sum(raw.a) + raw.c == pytest.approx(atomic_number, rel=2e-3)  # the table itself


@pytest.mark.parametrize("atomic_number", (6, 8, 26))
def test_mott_bethe_relates_it_to_the_table_of_electron_scattering(atomic_number: int) -> None:
    """f_e = 0.023934 (Z - f) / s^2, s = q / 2 in 1/Angstrom: two tables fitted independently."""
    s = torch.linspace(0.3, 1.5, 13, dtype=torch.float64)
    electron = gemmi.Element(atomic_number).c4322
    expected = sum(a * torch.exp(-b * s**2) for a, b in zip(electron.a, electron.b, strict=True))
    found = 0.023934 * (atomic_number - form_factor(atomic_number, 2 * s / ANGSTROM)) / s**2
    torch.testing.assert_close(found, expected, rtol=0.03, atol=0.01)


def test_single_and_double_precision_agree() -> None:
    q = torch.linspace(0, 1 / ANGSTROM, 50)
    torch.testing.assert_close(form_factor(7, q).double(), form_factor(7, q.double()), rtol=1e-5, atol=1e-5)


def test_five_terms_and_an_unknown_element() -> None:
    amplitude, width = form_factor_coefficients(6)
    assert len(amplitude) == len(width) == 5 and width[4] == 0
    with pytest.raises(UserError, match="atomic number 99"):
        form_factor_coefficients(99)


def test_the_resolution_is_where_the_blur_falls_to_1_over_e() -> None:
    sigma = resolution_width(3.5e-10)
    assert sigma == pytest.approx(0.225 * 3.5e-10, rel=1e-3)
    assert math.exp(-2 * (math.pi * sigma / 3.5e-10) ** 2) == pytest.approx(math.exp(-1))


@pytest.mark.parametrize("width", [3, 4, 5, 6])
def test_the_kernel_and_its_transform_belong_together(width: int) -> None:
    kernel = KaiserBessel(width)
    x = torch.linspace(-width / 2, width / 2, 20_001, dtype=torch.float64)
    for frequency in (0.0, 0.1, 0.3, 0.7):
        integral = torch.trapezoid(kernel.weights(x) * torch.cos(2 * math.pi * frequency * x), x)
        torch.testing.assert_close(integral, kernel.transform(torch.tensor(frequency).double()), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(32, 30), (16, 18, 20)])
@pytest.mark.parametrize(("width", "error"), [(4, 5e-3), (6, 2e-4)])
def test_one_transform_gives_the_sum_over_points(shape: tuple[int, ...], width: int, error: float) -> None:
    generator, kernel = torch.Generator().manual_seed(0), KaiserBessel(width)
    point = (torch.rand(40, len(shape), generator=generator) - 0.5) * torch.tensor(shape)
    grid = torch.arange(40) % 2
    axes = tuple(range(-len(shape), 0))
    spectrum = torch.fft.fftn(torch.fft.ifftshift(splat(point, grid, 2, shape, kernel), dim=axes), dim=axes)
    number = [torch.randint(-n // 4, n // 4, (50,), generator=generator) for n in shape]
    frequency = torch.stack([k / n for k, n in zip(number, shape, strict=True)], dim=1)
    window = kernel.transform(frequency).prod(1)
    for owner in (0, 1):
        exact = torch.exp(-2j * math.pi * (frequency @ point[grid == owner].T)).sum(1)
        found = spectrum[owner][tuple(number)] / window
        assert float((found - exact).abs().max()) < error * 20


def test_points_wrap_around_and_grids_are_apart() -> None:
    total = splat(torch.tensor([[7.9, 0.0]]), torch.tensor([1]), 3, (16, 16), KaiserBessel())
    assert total[0].abs().sum() == total[2].abs().sum() == 0
    assert total[1, 0].sum() > 0 and total[1, 15].sum() > 0
