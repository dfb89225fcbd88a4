"""Shrink-wrap: the support is drawn anew from the blurred density, by a threshold or by its area."""

import math

import torch
from torch import Tensor

from spi_lightning.phasing.recipe_parts import Shrinkwrap


def blurred(density: Tensor, sigma: float, ndim: int) -> Tensor:
    """Convolve with a periodic Gaussian of unit sum, by two real transforms.

    Args:
        density: (..., spatial) real.
        sigma: Standard deviation, pixel; 0 changes nothing.
        ndim: Number of spatial axes.
    """
    if sigma == 0:
        return density
    axes = tuple(range(-ndim, 0))
    spectrum = torch.fft.rfftn(density, dim=axes)
    for axis in axes:
        n, last = density.shape[axis], axis == -1
        frequency = (torch.fft.rfftfreq if last else torch.fft.fftfreq)(n, device=density.device, dtype=density.dtype)
        gaussian = torch.exp(-2 * (math.pi * sigma * frequency) ** 2)
        spectrum.mul_(gaussian.view(-1, *(1,) * (-1 - axis)))
    back: Tensor = torch.fft.irfftn(spectrum, s=density.shape[-ndim:], dim=axes)
    return back


def new_support(amplitude: Tensor, wrap: Shrinkwrap, uses: int, ndim: int) -> Tensor:
    """Draw the supports of all starts.

    Args:
        amplitude: (..., spatial) |density|.
        wrap: sigma, threshold or area, and how sigma shrinks.
        uses: How often it was used before.
        ndim: Number of spatial axes.

    Returns:
        Bool of the same shape, never empty: the largest pixel is in it.

    Source: Marchesini et al. (2003), Phys. Rev. B 68, 140101; P2 uses sigma 1 and a threshold of 0.10 or 0.15.
    """
    sigma = max(wrap.sigma * wrap.decay**uses, min(wrap.last_sigma, wrap.sigma))
    smooth = blurred(amplitude, sigma, ndim)
    flat = smooth.flatten(-ndim)
    if wrap.area:
        pixels = max(1, round(wrap.area * flat.shape[-1]))
        level = flat.kthvalue(flat.shape[-1] - pixels + 1, dim=-1).values
        return smooth >= level[(..., *(None,) * ndim)]
    level = wrap.threshold * flat.amax(-1)
    return smooth > level[(..., *(None,) * ndim)]
