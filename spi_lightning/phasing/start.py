"""Random starts of phase retrieval."""

import torch
from torch import Tensor

from spi_lightning.physics.fourier import fourier, inverse_fourier


def random_phases(fourier_amplitude: Tensor, ndim: int, starts: int, seed: int, real: bool) -> Tensor:
    """Densities of measured Fourier amplitudes and independent uniform phases in [-pi, pi].

    Args:
        fourier_amplitude: (P, spatial) float, origin at n // 2, 0 where unmeasured.
        ndim: Number of spatial axes.
        starts: Number of densities per pattern.
        seed: Start k of pattern p depends on seed, p and k alone, for any batch and device.
        real: Whether phases obey phi(-q) = -phi(q), so that the densities are real.

    Returns:
        (P, starts, spatial), real or complex, origin at n // 2. Source: Wu et al. (2021), Methods.
    """
    patterns, generator = len(fourier_amplitude), torch.Generator()
    noise = torch.empty(patterns, starts, *fourier_amplitude.shape[1:], dtype=fourier_amplitude.dtype)
    imaginary = torch.empty_like(noise) if not real else None
    for p in range(patterns):
        for k in range(starts):
            generator.manual_seed(((seed * 1_000_003 + p) * 1_000_003 + k) % 2**63)
            noise[p, k].normal_(generator=generator)
            if imaginary is not None:
                imaginary[p, k].normal_(generator=generator)
    drawn = noise if imaginary is None else torch.complex(noise, imaginary)
    spectrum = fourier(drawn.to(fourier_amplitude.device), ndim)
    density = inverse_fourier(spectrum.sgn() * fourier_amplitude[:, None], ndim)
    return density.real.contiguous() if real else density
