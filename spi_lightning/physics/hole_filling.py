"""Filling of unmeasured voxels between measured ones, for the autocorrelation of a pattern."""

from typing import Final

import torch
from torch import Tensor

from .array import box_about_origin, middle, reach
from .fourier import fourier, inverse_fourier

_LEVELS: Final = (0.3, 0.1, 0.05, 0.02)  # of the autocorrelation's maximum: the particle's extent, from round to round
_STEPS: Final = 20  # of conjugate gradients in each round
_MARGIN: Final = 1.1
_WORTH: Final = 1e-3  # share of the photons in holes from which they are fitted
_LARGEST: Final = 64  # edge of the middle part whose holes are fitted
_CONVERGED: Final = 1e-10  # of the first squared residual


def fill_holes(photons: Tensor, mask: Tensor) -> Tensor:
    """Fill the holes of a pattern by interpolation, then by a fit that keeps the autocorrelation compact.

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
    centre = middle(values.shape, _LARGEST)
    if float(start[centre][between[centre]].sum()) > _WORTH * float(values.sum()):
        filled[centre] = _fitted(filled[centre], between[centre])
    return filled


def _fitted(filled: Tensor, between: Tensor) -> Tensor:
    """Least squares of the autocorrelation outside a box that shrinks to its extent, over the voxels of the holes."""
    ndim = filled.ndim
    for level in _LEVELS:
        outside = ~_box(inverse_fourier(filled.to(torch.complex64), ndim).abs(), level)

        def normal(values: Tensor, outside: Tensor = outside) -> Tensor:
            spread = outside * inverse_fourier(values.to(torch.complex64), ndim)
            return torch.where(between, fourier(spread, ndim).real, 0.0)

        residual = -normal(filled)
        direction, power = residual, float(residual.square().sum())
        least = _CONVERGED * power
        for _ in range(_STEPS):
            if power <= least:
                break
            sent = normal(direction)
            step = power / float((direction * sent).sum())
            filled, residual = filled + step * direction, residual - step * sent
            before, power = power, float(residual.square().sum())
            direction = residual + power / before * direction
        filled = torch.where(between, filled.clamp_min(0), filled)
    return filled


def _interpolated(values: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Unmeasured voxels with measured ones on both sides, bool, and their values interpolated along the axes.

    Amplitudes are interpolated, each axis weighted by the inverse square of the distance of its neighbours.
    """
    total, weights = torch.zeros_like(values), torch.zeros_like(values)
    for axis in range(values.ndim):
        position = torch.arange(values.shape[axis], dtype=values.dtype).reshape(
            [-1 if other == axis else 1 for other in range(values.ndim)]
        )
        last = torch.where(mask, position, -1.0).cummax(axis).values.long()
        edge = values.shape[axis]
        following = torch.where(mask, position, float(edge)).flip(axis).cummin(axis).values.flip(axis).long()
        both = ~mask & (last >= 0) & (following < edge)
        low = values.gather(axis, last.clamp_min(0)).sqrt()
        high = values.gather(axis, following.clamp_max(edge - 1)).sqrt()
        gap = (following - last).to(values.dtype)
        share = (position - last) / gap
        weight = torch.where(both, 1 / gap.square(), 0.0)
        total += weight * (low + (high - low) * share).square()
        weights += weight
    return weights > 0, total / weights.clamp_min(1e-30)


def _box(size: Tensor, level: float) -> Tensor:
    """Box around n // 2 that holds where an autocorrelation is above a share of its maximum, with a margin; bool."""
    far = [int(_MARGIN * pixels + 1) for pixels in reach(size > level * size.max(), size.ndim)]
    box = torch.zeros_like(size, dtype=torch.bool)
    box[box_about_origin(size.shape, far)] = True
    return box
