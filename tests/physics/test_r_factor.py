import pytest
import torch

from spi_lightning.phasing import hold_out, phase
from spi_lightning.phasing.checks import outside_centre
from spi_lightning.physics.agreement import fourier_error, held_out_fourier_error, r_factor
from spi_lightning.physics.fourier import fourier, inverse_fourier


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


def test_the_held_out_error_depends_little_on_whether_a_bright_pixel_is_drawn() -> None:
    generator = torch.Generator().manual_seed(0)
    y, x = torch.meshgrid(*[torch.arange(48) - 24.0] * 2, indexing="ij")
    amplitude = 30 * torch.exp(-(y.square() + x.square()) / 8) + 0.3  # a few pixels hold nearly all of the intensity
    density = inverse_fourier(amplitude + 0.3 * torch.randn(48, 48, generator=generator), 2)[None]
    everything = torch.ones(48, 48, dtype=torch.bool)
    candidates, own, whole = outside_centre(everything, 2), [], []
    for seed in range(8):
        _, held = hold_out(everything, 0.05, seed, 2)
        own.append(float(fourier_error(density, amplitude[None], held)))
        whole.append(float(held_out_fourier_error(density, amplitude[None], held, candidates)))
    true = float(fourier_error(density, amplitude[None], candidates))
    assert max(own) > 3 * min(own) and max(whole) < 1.3 * min(whole)
    assert sum(whole) / len(whole) == pytest.approx(true, rel=0.05)
    assert torch.isnan(held_out_fourier_error(density, amplitude[None], ~everything, candidates)).all()
