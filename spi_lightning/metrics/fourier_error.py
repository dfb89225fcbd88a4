"""Fourier error: how far the amplitudes of a density are from the measured ones."""

import torch
from torch import Tensor

from spi_lightning.physics.fourier import fourier


def fourier_error(
    density: Tensor, fourier_amplitude: Tensor, mask: Tensor | None = None, relative: bool = True
) -> Tensor:
    """Norm of the difference of amplitudes over measured pixels, for every density.

    Args:
        density: (B, spatial) real or complex.
        fourier_amplitude: (B, spatial) or (1, spatial), of the orthonormal transform.
        mask: Bool, broadcast against it, True = measured; None: everything.
        relative: Divide by the norm of the measured amplitudes. Otherwise absolute, as in Bellisario & Ekeberg's code:
            || |F| - A || / sqrt(N) of N pixels with an unnormalised transform, whose amplitudes are sqrt(N) times
            ours: sqrt(N) times our root mean square, that is the bare norm.

    Returns:
        (B,).
    """
    ndim = density.ndim - 1
    measured = torch.ones_like(fourier_amplitude, dtype=torch.bool) if mask is None else mask
    wrong: Tensor = torch.where(measured, fourier(density, ndim).abs() - fourier_amplitude, 0).flatten(1).norm(dim=1)
    if not relative:
        return wrong
    scale: Tensor = torch.where(measured, fourier_amplitude, 0).flatten(1).norm(dim=1)
    return wrong / scale.clamp_min(torch.finfo(scale.dtype).tiny)
