import pytest
import torch

from spi_lightning.networks import HealingUNet
from spi_lightning.networks.unet import fill_from_opposite, opposite


@pytest.mark.parametrize("shape", [(8, 8), (9, 8), (7, 9)])
def test_opposite_is_minus_q(shape) -> None:
    density = torch.rand(*shape, generator=torch.Generator().manual_seed(0))
    amplitude = torch.fft.fftshift(torch.fft.fft2(density).abs())
    inside = opposite(torch.ones(shape)) > 0
    torch.testing.assert_close(opposite(amplitude)[inside], amplitude[inside])
    assert int((~inside).sum()) == shape[0] * shape[1] - (shape[0] - 1 + shape[0] % 2) * (shape[1] - 1 + shape[1] % 2)


def test_a_gap_on_one_side_is_filled_from_the_other() -> None:
    amplitude = torch.fft.fftshift(torch.fft.fft2(torch.rand(8, 8)).abs())
    measured = torch.ones(8, 8)
    measured[5:7, 2:4] = 0
    measured[4, 4] = 0
    filled, known = fill_from_opposite(amplitude * measured, measured)
    assert int((known == 0).sum()) == 1 and known[4, 4] == 0
    torch.testing.assert_close(filled[known > 0], amplitude[known > 0])


def test_it_starts_from_the_measured_pattern_and_never_goes_below_zero() -> None:
    torch.manual_seed(0)
    network, measured = HealingUNet((4, 6)), torch.ones(2, 1, 8, 8)
    density = torch.rand(2, 1, 8, 8)
    amplitude = torch.fft.fftshift(torch.fft.fft2(density, norm="ortho").abs(), dim=(-2, -1))
    healed = network(torch.cat([amplitude, measured], dim=1))
    assert healed.shape == (2, 1, 8, 8) and healed.min() >= 0
    torch.testing.assert_close(healed, amplitude, atol=0.05, rtol=0)
