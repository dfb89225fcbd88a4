"""Fourier error: how far the amplitudes of a density are from the measured ones."""

import torch
from torch import Tensor

from spi_lightning.physics.fourier import fourier
from spi_lightning.physics.partial_coherence import blurred_amplitude


def predicted_amplitude(density: Tensor, point_spread: Tensor | None = None) -> Tensor:
    """What would be measured of densities (B, spatial): (B, spatial), of the orthonormal transform, origin at n // 2.

    With a point spread (B, axes) or (1, axes), root mean square widths in pixels, the square root of the blurred
    intensity, which is taken in float64: see physics.partial_coherence.
    """
    amplitude = fourier(density, density.ndim - 1).abs()
    return amplitude if point_spread is None else blurred_amplitude(amplitude.double(), point_spread).to(amplitude)


def fourier_error(
    density: Tensor,
    fourier_amplitude: Tensor,
    mask: Tensor | None = None,
    relative: bool = True,
    point_spread: Tensor | None = None,
) -> Tensor:
    """Norm of the difference of amplitudes over measured pixels, for every density.

    Args:
        density: (B, spatial) real or complex.
        fourier_amplitude: (B, spatial) or (1, spatial), of the orthonormal transform.
        mask: Bool, broadcast against it, True = measured; None: everything.
        relative: Divide by the norm of the measured amplitudes. Otherwise absolute, as in Bellisario & Ekeberg's code:
            || |F| - A || / sqrt(N) of N pixels with an unnormalised transform, whose amplitudes are sqrt(N) times
            ours: sqrt(N) times our root mean square, that is the bare norm.
        point_spread: (B, axes), see predicted_amplitude; None: a coherent pattern.

    Returns:
        (B,).
    """
    measured = torch.ones_like(fourier_amplitude, dtype=torch.bool) if mask is None else mask
    away = predicted_amplitude(density, point_spread) - fourier_amplitude
    wrong: Tensor = torch.where(measured, away, 0).flatten(1).norm(dim=1)
    if not relative:
        return wrong
    scale: Tensor = torch.where(measured, fourier_amplitude, 0).flatten(1).norm(dim=1)
    return wrong / scale.clamp_min(torch.finfo(scale.dtype).tiny)
