"""R factor: sum | |F| - A | / sum A, on the pixels that were fitted or on those held out."""

import torch
from torch import Tensor

from spi_lightning.physics.agreement import predicted_amplitude, rescaled


def r_factor(
    density: Tensor,
    fourier_amplitude: Tensor,
    pixels: Tensor,
    fitted: Tensor | None = None,
    point_spread: Tensor | None = None,
) -> Tensor:
    """R factor over a set of pixels, after a closed-form scale of the amplitudes.

    Args:
        density: (B, spatial) real or complex densities.
        fourier_amplitude: (B, spatial) or (1, spatial) measured amplitudes.
        pixels: Bool, broadcast against the amplitudes, True where they are compared; held-out pixels give the free R
            factor.
        fitted: Bool, True in the pixels that define the scale; None: ``pixels``.
        point_spread: (B, axes) blur widths in pixels, see predicted_amplitude; None: a coherent pattern.

    Returns:
        (B,); 0 for a perfect density, NaN where no photon was measured in the pixels.

    Source: Brunger (1992), Nature 355, 472, for the free R factor.
    """
    amplitude = predicted_amplitude(density, point_spread)
    measured = fourier_amplitude.expand(amplitude.shape)
    kept = (pixels if fitted is None else fitted).expand(amplitude.shape)
    away = (rescaled(amplitude, measured, kept) - measured).abs()
    judged = pixels.expand(amplitude.shape)
    return _sum(away, judged) / _sum(measured, judged)


def _sum(values: Tensor, pixels: Tensor) -> Tensor:
    return torch.where(pixels, values, 0).flatten(1).sum(1)
