"""Densities on another grid by Fourier interpolation, which adds and loses nothing that both grids hold."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def resampled(density: Tensor, edges: Sequence[float], edge: float) -> Tensor:
    """Density (spatial) on cubic voxels of another edge, origin at n // 2 in both; frequencies that one lacks are cut.

    Args:
        density: (spatial) real or complex.
        edges: Edge of a voxel along each axis, in any unit.
        edge: Edge of a voxel of the result, in the same unit.
    """
    found = density
    for axis, own in enumerate(edges):
        n = density.shape[axis]
        if abs(own / edge - 1) < 1e-9:
            continue
        matrix = _interpolation(n, max(1, math.floor(n * own / edge + 1e-9)), edge / own).to(found)
        found = (matrix @ found.movedim(axis, -1)[..., None])[..., 0].movedim(-1, axis)
    return found.contiguous()


def _interpolation(n: int, m: int, ratio: float) -> Tensor:
    """Trigonometric interpolation (m, n) float64 of n periodic samples at m points ``ratio`` apart about n // 2.

    Frequencies above those of the coarser grid are left out.
    """
    at = ratio * (torch.arange(m, dtype=torch.float64) - m // 2)
    offset = at[:, None] - (torch.arange(n, dtype=torch.float64) - n // 2)
    highest = min((n - 1) // 2, math.floor(n / (2 * ratio) + 1e-9))
    k = torch.arange(1, highest + 1, dtype=torch.float64)
    kernel = 1 + 2 * torch.cos(2 * math.pi * k[:, None, None] * offset / n).sum(0)
    if n % 2 == 0 and ratio <= 1:  # the frequency of both signs
        kernel = kernel + torch.cos(math.pi * offset)
    return kernel / n
