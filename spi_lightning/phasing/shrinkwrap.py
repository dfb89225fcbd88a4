"""Shrink-wrap: supports from the blurred density, by threshold, area or number of voxels."""

import math
from functools import lru_cache

import torch
from torch import Tensor

from spi_lightning.physics.fourier import fourier_into, inverse_fourier_into

from .recipe_parts import Shrinkwrap


@lru_cache(maxsize=16)
def _gaussian(spatial: tuple[int, ...], sigma: float, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Transform of a periodic Gaussian of unit sum over the half spectrum, origin at index 0."""
    product = torch.ones((), dtype=dtype, device=device)
    for axis, n in enumerate(spatial):
        frequencies = torch.fft.rfftfreq if axis == len(spatial) - 1 else torch.fft.fftfreq
        along = torch.exp(-2 * (math.pi * sigma * frequencies(n, device=device, dtype=torch.float64)) ** 2)
        product = product * along.to(dtype).view(-1, *(1,) * (len(spatial) - 1 - axis))
    return product


def blurred(
    density: Tensor, sigma: float, ndim: int, spectrum: Tensor | None = None, out: Tensor | None = None
) -> Tensor:
    """Convolve with a periodic Gaussian of unit sum, by two real transforms.

    Args:
        density: (..., spatial) real values.
        sigma: Standard deviation, pixel; 0 changes nothing.
        ndim: Number of spatial axes.
        spectrum: (..., half spectrum) complex buffer, overwritten; None: allocated here.
        out: (..., spatial) buffer for the result; None: allocated here.
    """
    if sigma == 0:
        return density
    if spectrum is None:
        half = (*density.shape[:-1], density.shape[-1] // 2 + 1)
        spectrum = torch.empty(half, dtype=density.dtype.to_complex(), device=density.device)
    fourier_into(density, ndim, out=spectrum)
    spectrum.mul_(_gaussian(tuple(density.shape[-ndim:]), sigma, density.dtype, density.device))
    return inverse_fourier_into(spectrum, ndim, out=torch.empty_like(density) if out is None else out)


def sigma_now(wrap: Shrinkwrap, uses: int) -> float:
    """Standard deviation of the Gaussian after a number of uses, pixel."""
    return max(wrap.sigma * wrap.decay**uses, min(wrap.last_sigma, wrap.sigma))


def support_level(smooth: Tensor, wrap: Shrinkwrap, ndim: int) -> Tensor:
    """Threshold that a blurred density exceeds in the support, broadcastable against (..., spatial).

    Source: Marchesini et al. (2003), Phys. Rev. B 68, 140101; Bellisario & Ekeberg (2024) use
    sigma 1 and a threshold of 0.10 or 0.15.
    """
    flat = smooth.flatten(-ndim)
    if wrap.area:
        pixels = max(1, round(wrap.area * flat.shape[-1]))
        level = flat.kthvalue(flat.shape[-1] - pixels, dim=-1).values
    else:
        level = wrap.threshold * flat.amax(-1)
    return level[(..., *(None,) * ndim)]


def largest_voxels(density: Tensor, voxels: Tensor, sigma: float = 0.0) -> Tensor:
    """Support of the largest voxels of the blurred amplitude, (B, z, y, x) -> (B, z, y, x) bool.

    Args:
        density: (B, z, y, x) real or complex.
        voxels: (B,) numbers of voxels, rounded to whole ones from 1 to all.
        sigma: Standard deviation of the blur, voxel.
    """
    amplitude = density.abs()
    order = blurred(amplitude, sigma, 3).flatten(1).argsort(1, descending=True).argsort(1)
    inside: Tensor = order < voxels.round().clamp(1, order.shape[1])[:, None]
    return inside.view(amplitude.shape)
