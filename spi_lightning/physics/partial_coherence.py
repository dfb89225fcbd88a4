"""Partial coherence: a measured pattern is the coherent one, blurred by the source, the optics and the pixels."""

import math
from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

from spi_lightning.errors import UserError

_PASSES = 4
LARGEST_SPREAD: Final = 0.98 * math.sqrt(_PASSES / 2)
"""Pixels: above it the kernel would turn negative."""


def point_spread_factors(point_spread: Tensor, shape: Sequence[int]) -> list[Tensor]:
    """Factors of one of the four passes of point_spread_envelope() along each axis of the autocorrelation.

    Returns:
        One tensor for each axis, (B, 1, ..., n, ..., 1), between 0 and 1.
    """
    factors = []
    for axis, n in enumerate(shape):
        frequency = torch.fft.fftfreq(n, dtype=point_spread.dtype, device=point_spread.device)
        swing = 1 - torch.cos(2 * torch.pi * frequency)
        lost = point_spread[:, axis, None].square() / _PASSES * swing
        factors.append((1 - lost).view(-1, *(n if other == axis else 1 for other in range(len(shape)))))
    return factors


def point_spread_envelope(point_spread: Tensor, shape: Sequence[int]) -> Tensor:
    """Envelope by which partial coherence multiplies the autocorrelation; (B, *shape), origin at index 0.

    Args:
        point_spread: (B, axes) root mean square width of the point spread along each axis, pixels of the pattern, from
            0 to LARGEST_SPREAD.
        shape: Shape of the pattern, pixels.

    In reciprocal space it is four passes of the kernel (a, 1 - 2a, a) with a = width^2 / 8 along each axis: close to a
    Gaussian, of sum 1 and, unlike a Gaussian that is cut off at half a cycle per pixel, nowhere negative, so that a
    blurred intensity never is.

    Source: Clark et al. (2012), Nat. Commun. 3, 993, partially coherent diffraction as a convolution of intensities.
    """
    envelope: Tensor = torch.ones((), dtype=point_spread.dtype, device=point_spread.device)
    for factor in point_spread_factors(point_spread, shape):
        envelope = envelope * factor
    return envelope.pow(_PASSES)


def slopes_of_envelope(point_spread: Tensor, shape: Sequence[int]) -> list[Tensor]:
    """Derivatives of the log envelope by each squared width (B, axes), pixels, broadcastable like the factors."""
    slopes = []
    for axis, factor in enumerate(point_spread_factors(point_spread, shape)):
        frequency = torch.fft.fftfreq(shape[axis], dtype=factor.dtype, device=factor.device)
        swing = (1 - torch.cos(2 * torch.pi * frequency)).view(1, *factor.shape[1:])
        slopes.append(-swing / factor)
    return slopes


def blurred_intensity(intensity: Tensor, envelope: Tensor) -> Tensor:
    """Convolve patterns (B, spatial), real or complex, with the point spread; the edges wrap.

    Args:
        intensity: (B, *shape), origin anywhere; real and imaginary parts are blurred independently.
        envelope: (B, *shape) from point_spread_envelope().
    """
    axes = tuple(range(1, envelope.ndim))
    if intensity.is_complex():
        both: Tensor = torch.fft.ifftn(torch.fft.fftn(intensity, dim=axes) * envelope, dim=axes)
        return both
    half = envelope[..., : envelope.shape[-1] // 2 + 1]
    blurred: Tensor = torch.fft.irfftn(torch.fft.rfftn(intensity, dim=axes) * half, s=envelope.shape[1:], dim=axes)
    return blurred


def blurred_amplitude(amplitude: Tensor, point_spread: Tensor | None) -> Tensor:
    """Fourier amplitudes of a partially coherent pattern: square root of the blurred squared amplitudes.

    Args:
        amplitude: (B, *shape) float coherent amplitudes, origin anywhere.
        point_spread: (B, axes) or (1, axes) widths in pixels, see point_spread_envelope(); None: the pattern is
            coherent.
    """
    if point_spread is None:
        return amplitude
    envelope = point_spread_envelope(point_spread.to(amplitude), amplitude.shape[1:])
    return blurred_intensity(amplitude.square(), envelope).clamp_min(0).sqrt()


def require_width(point_spread: object, name: str) -> float | None:
    """Validated initial width of a blur, pixels; None: no blur.

    Args:
        point_spread: Value of the setting, of any type.
        name: Name of the setting, for the error.

    Raises:
        UserError: The value is not a number from 0 to LARGEST_SPREAD.
    """
    if point_spread is None:
        return None
    if not isinstance(point_spread, int | float) or not 0 <= point_spread <= LARGEST_SPREAD:
        raise UserError(f"{name}={point_spread}: give pixels from 0 to {LARGEST_SPREAD:.2f}, or null for no blur")
    return point_spread
