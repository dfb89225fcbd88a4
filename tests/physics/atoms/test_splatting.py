import math

import pytest
import torch

from spi_lightning.physics.atoms.splatting import KaiserBessel, splat


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
