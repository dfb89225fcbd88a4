import numpy as np
import pytest
import torch

from spi_lightning.metrics.fourier_error import fourier_error
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
