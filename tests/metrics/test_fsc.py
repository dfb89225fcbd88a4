import pytest
import torch

from spi_lightning.metrics.fsc import fsc, half_bit_threshold
from spi_lightning.metrics.shells import crossing, shells
from spi_lightning.physics.fourier import fourier, inverse_fourier


def test_half_bit_threshold_is_the_published_one() -> None:
    # n where sqrt(n) = 10: (0.2071 + 0.19102) / (1.2071 + 0.09102); many pixels: 0.2071 / 1.2071.
    found = half_bit_threshold(torch.tensor([100.0, 1e12, 1.0], dtype=torch.float64))
    assert found.tolist() == pytest.approx([0.30669, 0.17157, 1.0], abs=1e-4)


@pytest.mark.parametrize("shape", [(32, 32), (16, 16, 16)])
def test_equal_halves_correlate_to_the_edge(shape: tuple[int, ...]) -> None:
    density = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    found = fsc(density, density, len(shape))
    torch.testing.assert_close(found.curve, torch.ones_like(found.curve), atol=1e-4, rtol=0)
    assert bool(found.half_bit_crossing.isnan()) and bool(found.one_over_e_crossing.isnan())


def test_a_noisy_first_shell_of_one_independent_pixel_is_no_crossing() -> None:
    generator = torch.Generator().manual_seed(0)
    a, b = 1 + 0.05 * torch.randn(2, 64, 64, generator=generator)
    blob = torch.exp(-(torch.arange(64) - 32.0).square() / 20)
    found = fsc(a * blob * blob[:, None], b * blob * blob[:, None], 2, oversampling=4.0)
    assert float(found.half_bit[1]) == 1 > float(found.curve[1])
    assert float(found.half_bit_crossing) > 0.05


def test_noise_beyond_a_frequency_is_found_there() -> None:
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 128, 128, generator=generator)
    radius = shells((128, 128)).index
    shared = torch.where(radius < 32, fourier(a, 2), fourier(b, 2))
    found = fsc(a, inverse_fourier(shared, 2).real, 2)
    assert float(found.half_bit_crossing) == pytest.approx(0.25, abs=0.01)
    assert float(found.one_over_e_crossing) == pytest.approx(0.25, abs=0.01)
    assert float(found.curve[40:].abs().mean()) < 0.1


def test_fewer_independent_pixels_ask_for_more_correlation() -> None:
    density = torch.rand(32, 32)
    once, twice = (fsc(density, density, 2, oversampling).half_bit for oversampling in (1.0, 2.0))
    assert bool((twice[4:] > once[4:]).all())


def test_shells_hold_every_pixel_once_and_average() -> None:
    rings = shells((8, 12))
    assert int(rings.pixels.sum()) == int((rings.index < len(rings.pixels)).sum())
    torch.testing.assert_close(rings.mean(rings.index.float()), torch.arange(len(rings.pixels)).float())
    assert rings.frequency[-1] == pytest.approx(0.5, abs=0.05)


def test_crossing_is_linear_between_shells() -> None:
    frequency = torch.tensor([0.1, 0.2, 0.3, 0.4])
    curves = torch.tensor([[1.0, 0.6, 0.2, 0.9], [1.0, 1.0, 1.0, 1.0], [0.1, 1.0, 1.0, 1.0]])
    assert crossing(frequency, curves, 0.4).tolist() == pytest.approx([0.25, float("nan"), 0.1], nan_ok=True)


@pytest.mark.parametrize(("n", "threshold"), [(4, 0.698), (25, 0.425), (100, 0.307), (400, 0.242), (1e4, 0.186)])
def test_half_bit_threshold_agrees_with_the_curve_of_the_paper(n: float, threshold: float) -> None:
    # half a bit for the sum of two halves: log2(1 + 2 SNR) = 0.5, SNR = 0.2071 in each; and the threshold of any SNR,
    # (SNR + (2 sqrt(SNR) + 1) / sqrt(n)) / (1 + SNR + 2 sqrt(SNR) / sqrt(n)), van Heel & Schatz (2005), Eqs. 4 and 17
    snr = (2**0.5 - 1) / 2
    root = n**0.5
    general = (snr + (2 * snr**0.5 + 1) / root) / (1 + snr + 2 * snr**0.5 / root)
    found = float(half_bit_threshold(torch.tensor([n])))
    assert found == pytest.approx(min(general, 1), abs=1e-3) and found == pytest.approx(threshold, abs=2e-3)


def test_independent_noise_stays_within_the_chance_of_its_pixels() -> None:
    a, b = torch.randn(2, 24, 24, 24, generator=torch.Generator().manual_seed(0))
    found, pixels = fsc(a, b, 3), shells(a.shape).pixels
    assert float((found.curve.abs() * (pixels / 2).sqrt())[1:].max()) < 3.5
    assert bool(found.falls_below(0.143) <= found.frequency[2])
