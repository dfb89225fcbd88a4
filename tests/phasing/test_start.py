import pytest
import torch

from spi_lightning.phasing import random_phases, with_phase_noise
from spi_lightning.physics.fourier import fourier
from tests.phasing.particles import particle


@pytest.mark.parametrize("real", [True, False])
@pytest.mark.parametrize("shape", [(15,), (12, 13), (6, 7, 8)])
def test_random_phases_keep_amplitudes_and_each_start_its_seed(shape: tuple[int, ...], real: bool) -> None:
    amplitude = fourier(torch.rand(2, *shape, generator=torch.Generator().manual_seed(0)), len(shape)).abs()
    density = random_phases(amplitude, len(shape), 3, seed=5, real=real)
    assert density.is_complex() != real
    torch.testing.assert_close(fourier(density, len(shape)).abs(), amplitude[:, None].expand(density.shape))
    torch.testing.assert_close(random_phases(amplitude, len(shape), 2, seed=5, real=real), density[:, :2])
    other = random_phases(amplitude, len(shape), 3, seed=6, real=real)
    assert float((other - density).norm() / density.norm()) > 0.5


def test_phases_are_uniform() -> None:
    angle = fourier(random_phases(torch.ones(1, 64, 64), 2, 4, seed=0, real=True), 2).angle()
    shares = torch.histc(angle, 8, -torch.pi, torch.pi) / angle.numel()
    torch.testing.assert_close(shares, torch.full((8,), 1 / 8), atol=0.01, rtol=0)


@pytest.mark.parametrize("complex_", [False, True])
def test_phase_noise_is_as_large_as_asked(complex_: bool) -> None:
    density, _ = particle(32, 2, complex_=complex_)
    noisy = with_phase_noise(density[None], 2, 0.5, starts=4, seed=1)
    assert noisy.dtype == density.dtype
    spectrum, moved = fourier(density, 2), fourier(noisy, 2)
    torch.testing.assert_close(moved.abs(), spectrum.abs().expand(moved.shape), atol=1e-4, rtol=1e-4)
    turned = (moved * spectrum.conj()).angle()
    assert float(turned.std()) == pytest.approx(0.5, abs=0.02)
    assert torch.equal(with_phase_noise(density[None], 2, 0.0, 1, 0).abs() > 1e-3, (density.abs() > 1e-3)[None, None])
