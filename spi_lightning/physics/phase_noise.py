"""Gaussian errors of the Fourier phases of a density at unchanged amplitudes."""

from collections.abc import Sequence

import torch
from torch import Tensor

from .fourier import fourier, inverse_fourier


def with_phase_noise(density: Tensor, ndim: int, radian: float | Tensor, starts: int, seed: int) -> Tensor:
    """Copies of densities whose Fourier phases differ by Gaussian noise: an ensemble of starts around one guess.

    Args:
        density: (P, spatial) real or complex, origin at n // 2.
        ndim: Number of spatial axes.
        radian: Standard deviation of the phase noise, rad, one or (P, 1 or starts, 1, ...); of a real density phi(q)
            and phi(-q) move oppositely.
        starts: Number of copies per density.
        seed: Seed of the noise.

    Returns:
        (P, starts, spatial), of the density's dtype.
    """
    generator = torch.Generator().manual_seed(seed)
    shape = (len(density), starts, *density.shape[1:])
    if density.is_complex():
        noise = torch.randn(shape, generator=generator, dtype=density.abs().dtype)
    else:
        noise = odd_noise(shape, ndim, generator, density.dtype)
    return turned(density[:, None], ndim, radian * noise.to(density.device))


def odd_noise(
    shape: Sequence[int], ndim: int, generator: torch.Generator, dtype: torch.dtype = torch.float32
) -> Tensor:
    """Gaussian noise of standard deviation 1 with noise(-q) = -noise(q), origin at n // 2; 0 where q = -q."""
    axes = tuple(range(-ndim, 0))
    noise = torch.fft.ifftshift(torch.randn(tuple(shape), generator=generator, dtype=dtype), dim=axes)
    noise = (noise - torch.roll(noise.flip(axes), (1,) * ndim, axes)) / 2**0.5
    odd: Tensor = torch.fft.fftshift(noise, dim=axes)
    return odd


def turned(density: Tensor, ndim: int, phase: Tensor) -> Tensor:
    """Density (..., spatial) after multiplying its transform by exp(i phase), rad, q = 0 at n // 2; real stays real."""
    moved = inverse_fourier(fourier(density, ndim) * torch.polar(torch.ones_like(phase), phase), ndim)
    answer: Tensor = moved if density.is_complex() else moved.real.contiguous()
    return answer
