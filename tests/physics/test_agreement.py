import numpy as np
import pytest
import torch

from spi_lightning.metrics.prtf import prtf
from spi_lightning.physics.agreement import (
    amplitude_errors,
    chi_square,
    fourier_error,
    held_out_chi_square,
    predicted_amplitude,
    r_factor,
)
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


def amplitudes() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Predicted and measured amplitudes (3, 5, 6, 7) and a mask, float64."""
    generator = torch.Generator().manual_seed(0)
    predicted, measured, draw = (torch.rand(3, 5, 6, 7, generator=generator, dtype=torch.float64) for _ in range(3))
    return predicted, measured, draw > 0.3


def test_chi_square_and_r_p_are_those_of_numpy() -> None:
    predicted, measured, mask = amplitudes()
    found = amplitude_errors(predicted, measured, mask)
    for number in range(3):
        p, m = (each[number][mask[number]].numpy() for each in (predicted, measured))
        scale = np.linalg.lstsq(p[:, None], m, rcond=None)[0][0]
        assert float(found["chi_square"][number]) == pytest.approx(((scale * p - m) ** 2).sum() / (m**2).sum())
        assert float(found["correlation"][number]) == pytest.approx(np.corrcoef(p, m)[0, 1])
        x, y = np.abs(p - p.mean()), np.abs(m - m.mean())
        printed = (x * y).sum() / np.sqrt((x**2).sum() * (y**2).sum())
        assert float(found["correlation_modified"][number]) == pytest.approx(printed)


def test_the_held_out_error_is_that_of_numpy_at_the_scale_of_the_fitted_voxels() -> None:
    predicted, measured, mask = amplitudes()
    found = held_out_chi_square(predicted, measured, mask, ~mask)
    for number in range(3):
        inside, outside = mask[number].numpy(), ~mask[number].numpy()
        p, m = predicted[number].numpy(), measured[number].numpy()
        scale = (p[inside] * m[inside]).sum() / (p[inside] ** 2).sum()
        expected = ((scale * p - m)[outside] ** 2).sum() / (m[outside] ** 2).sum()
        assert float(found[number]) == pytest.approx(expected)
    same = held_out_chi_square(predicted, measured, mask, mask)
    torch.testing.assert_close(same, chi_square(predicted, measured, mask))


def test_the_fourier_error_is_the_root_of_chi_square() -> None:
    density = torch.rand(2, 8, 9, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    measured = predicted_amplitude(density.flip(0))
    mask = torch.rand(2, 8, 9, generator=torch.Generator().manual_seed(2)) > 0.2
    root = chi_square(predicted_amplitude(density), measured, mask, scaled=False).sqrt()
    torch.testing.assert_close(fourier_error(density, measured, mask), root)
