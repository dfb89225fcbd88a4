"""Estimates of voxels that were not measured, between measured ones, for the autocorrelation of a pattern."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from spi_lightning.physics.fourier import fourier, inverse_fourier

_ROUNDS: Final = 12  # of band limitation
_LEVEL: Final = 0.02  # of the autocorrelation's maximum: extent of the particle from round to round
_MARGIN: Final = 1.1
_WORTH: Final = 1e-3  # share of the photons in holes from which they are refined


def fill_holes(photons: Tensor, mask: Tensor) -> Tensor:
    """Interpolate holes, then fit them to a pattern whose autocorrelation is no wider than that of the whole.

    Zeros instead would be the pattern times a window, and its autocorrelation as wide as the array. Voxels that have
    measured ones on both sides along no axis lie outside of the scan and stay 0. No symmetry is used.

    Args:
        photons: (..., Y, X) of one pattern, 2D or 3D, origin at n // 2; 0 where mask is False.
        mask: The same shape, bool, True where measured.

    Returns:
        (..., Y, X) float32, measured voxels as they were.
    """
    values = torch.where(mask, photons, 0.0).float()
    between, start = _interpolated(values, mask)
    if not between.any():
        return values
    filled = torch.where(between, start, values)
    if float(start[between].sum()) < _WORTH * float(values.sum()):
        return filled
    ndim = photons.ndim
    for _ in range(_ROUNDS):
        autocorrelation = inverse_fourier(filled.to(torch.complex64), ndim)
        limited = fourier(autocorrelation * _box(autocorrelation.abs()), ndim).real.clamp_min(0)
        filled = torch.where(between, limited, filled)
    return filled


def _interpolated(values: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Which unmeasured voxels have measured ones on both sides, and the mean over axes of what lies between these.

    Amplitudes are interpolated, each axis weighted by the inverse square of the distance of its neighbours.
    """
    total, weights = torch.zeros_like(values), torch.zeros_like(values)
    for axis in range(values.ndim):
        place = torch.arange(values.shape[axis], dtype=values.dtype).reshape(
            [-1 if other == axis else 1 for other in range(values.ndim)]
        )
        last = torch.where(mask, place, -1.0).cummax(axis).values.long()
        edge = values.shape[axis]
        following = torch.where(mask, place, float(edge)).flip(axis).cummin(axis).values.flip(axis).long()
        both = ~mask & (last >= 0) & (following < edge)
        low = values.gather(axis, last.clamp_min(0)).sqrt()
        high = values.gather(axis, following.clamp_max(edge - 1)).sqrt()
        gap = (following - last).to(values.dtype)
        share = (place - last) / gap
        weight = torch.where(both, 1 / gap.square(), 0.0)
        total += weight * (low + (high - low) * share).square()
        weights += weight
    return weights > 0, total / weights.clamp_min(1e-30)


def _box(size: Tensor) -> Tensor:
    """Box around n // 2 that holds where an autocorrelation is above a share of its maximum, with a margin; bool."""
    box = torch.ones_like(size, dtype=torch.bool)
    inside = size > _LEVEL * size.max()
    for axis, n in enumerate(size.shape):
        others = [other for other in range(size.ndim) if other != axis]
        away = (torch.arange(n) - n // 2).abs()
        reach = _MARGIN * float(away[inside.sum(others) > 0].max()) + 1
        box &= (away <= reach).reshape([-1 if other == axis else 1 for other in range(size.ndim)])
    return box
