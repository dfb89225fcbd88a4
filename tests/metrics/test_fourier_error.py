import numpy as np
import pytest
import torch

from spi_lightning.metrics.fourier_error import fourier_error, predicted_amplitude
from spi_lightning.metrics.prtf import prtf
from spi_lightning.metrics.r_factor import r_factor
from spi_lightning.physics.fourier import fourier


def test_a_density_fits_its_own_amplitudes_and_half_of_it_by_half() -> None:
    density = torch.rand(2, 12, 12, dtype=torch.float64)
    amplitude = fourier(density, 2).abs()
    assert float(fourier_error(density, amplitude).max()) < 1e-12
    assert fourier_error(density / 2, amplitude).tolist() == pytest.approx([0.5, 0.5])


def test_absolute_is_that_of_an_unnormalised_transform_over_root_n() -> None:
    generator = np.random.default_rng(0)
    truth, density = generator.random((2, 10, 14))
    mask = generator.random((10, 14)) > 0.3
    measured = np.abs(np.fft.fftn(truth)) * mask
    theirs = np.linalg.norm(np.abs(np.fft.fftn(density)) * mask - measured) / np.sqrt(truth.size)
    amplitude = fourier(torch.from_numpy(truth), 2).abs()[None]
    shifted = torch.fft.fftshift(torch.from_numpy(mask))
    ours = fourier_error(torch.from_numpy(density)[None], amplitude, shifted, relative=False)
    assert float(ours) == pytest.approx(theirs)


def test_unmeasured_pixels_count_nothing_even_if_not_finite() -> None:
    density = torch.rand(1, 8, 8, dtype=torch.float64)
    amplitude = fourier(density, 2).abs()
    amplitude[0, 3, 3] = torch.nan
    mask = amplitude.isfinite()
    assert float(fourier_error(density, amplitude, mask)) < 1e-12


def test_a_blurred_pattern_is_met_by_its_density_blurred_alike() -> None:
    density = torch.rand(2, 8, 9, 10, dtype=torch.float64)
    spread = torch.tensor([[0.5, 0.0, 0.4], [0.2, 0.3, 0.6]], dtype=torch.float64)
    plain, blurred = predicted_amplitude(density), predicted_amplitude(density, spread)
    torch.testing.assert_close(blurred.square().flatten(1).sum(1), plain.square().flatten(1).sum(1))
    everything = torch.ones_like(blurred[0], dtype=torch.bool)
    assert float(fourier_error(density, blurred, point_spread=spread).max()) < 1e-12
    assert float(fourier_error(density, blurred).min()) > 0.01
    assert float(r_factor(density, blurred, everything, point_spread=spread).max()) < 1e-12
    assert float(r_factor(density, blurred, everything).min()) > 0.01
    runs = density[:1].expand(2, -1, -1, -1)
    mean = prtf(runs, everything, "modulus", blurred[0], aligned=True, point_spread=spread[0])
    torch.testing.assert_close(mean.value, torch.ones_like(mean.value))
