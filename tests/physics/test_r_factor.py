import pytest
import torch

from spi_lightning.phasing import hold_out, phase
from spi_lightning.physics.agreement import r_factor
from spi_lightning.physics.fourier import fourier


def test_it_is_blind_to_scale_and_counts_differences() -> None:
    density = torch.rand(1, 10, 10, dtype=torch.float64)
    amplitude = fourier(density, 2).abs()
    everything = torch.ones(1, 10, 10, dtype=torch.bool)
    assert float(r_factor(3 * density, amplitude, everything)) < 1e-12
    wrong = amplitude.clone()
    wrong[0, :5] *= 1.2
    half = torch.zeros_like(everything)
    half[0, :5] = True
    assert float(r_factor(density, wrong, half, fitted=~half)) == pytest.approx(1 - 1 / 1.2)


def test_held_out_pixels_tell_a_right_density_from_an_overfitted_one() -> None:
    generator = torch.Generator().manual_seed(0)
    density = torch.zeros(24, 24)
    density[7:16, 8:17] = 0.1 + torch.rand(9, 9, generator=generator)
    amplitude = fourier(density, 2).abs()[None]
    fitted, held = hold_out(torch.ones(24, 24, dtype=torch.bool), 0.05, seed=1, ndim=2)
    right = phase(amplitude, fitted, "400*HIO + 20*ER", support=density > 0, starts=3)
    loose = phase(
        amplitude, fitted, "400*HIO + 20*ER", "real", support=torch.ones(24, 24, dtype=torch.bool), least_oversampling=1
    )
    assert float(r_factor(loose.density, amplitude, fitted)) < 1e-3
    assert float(r_factor(loose.density, amplitude, held, fitted)) > 0.3
    assert float(r_factor(right.density, amplitude, held, fitted).min()) < 1e-3
