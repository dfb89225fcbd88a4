"""Densities rotated about n // 2, and rotations evenly spread or near one another."""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from scipy.ndimage import map_coordinates
from torch import Tensor

from spi_lightning.physics.array import pad
from spi_lightning.physics.fourier import fourier, inverse_fourier
from spi_lightning.physics.rotations.orientations import multiply_quaternions, rotation_matrices

_PHI, _PSI = 2**0.5, 1.533751168755204288118041
_ORDER: Final = 5  # of the spline
_FINER: Final = 2  # Fourier interpolation before the spline, so that it is exact to 1e-4 up to the edge of the data


def even_rotations(count: int, ndim: int) -> Tensor:
    """Unit quaternions w, x, y, z evenly spread over all rotations, (count, 4) float64; in 2D about z alone.

    Source: super-Fibonacci spirals, Alexa (2022), CVPR, Alg. 1.
    """
    number = torch.arange(count, dtype=torch.float64)
    if ndim == 2:
        half = math.pi * number / count
        zero = torch.zeros_like(half)
        return torch.stack([half.cos(), zero, zero, half.sin()], dim=-1)
    share = (number + 0.5) / count
    inner, outer = share.sqrt(), (1 - share).sqrt()
    alpha, beta = 2 * math.pi * (number + 0.5) / _PHI, 2 * math.pi * (number + 0.5) / _PSI
    return torch.stack([inner * alpha.sin(), inner * alpha.cos(), outer * beta.sin(), outer * beta.cos()], dim=-1)


def turned_by(vectors: Tensor, quaternion: Tensor) -> Tensor:
    """Rotations followed by small ones, (N, 3) rotation vectors x, y, z in rad and (..., 4) -> (..., N, 4)."""
    angle = vectors.norm(dim=-1, keepdim=True)
    axis = vectors / angle.clamp_min(1e-30)
    small = torch.cat([(angle / 2).cos(), axis * (angle / 2).sin()], dim=-1).to(quaternion)
    return multiply_quaternions(small, quaternion[..., None, :])


def matrices_of(quaternion: Tensor, ndim: int) -> Tensor:
    """Rotation matrices of array axes, (..., 4) -> (..., ndim, ndim), ordered z, y, x or y, x."""
    return rotation_matrices(quaternion)[..., 3 - ndim :, 3 - ndim :]


def sampled(values: Tensor, position: Tensor) -> Tensor:
    """Linear interpolation of an array (spatial), real or complex, at positions (..., ndim) from n // 2; 0 beyond."""
    ndim = values.ndim
    edges = torch.tensor(values.shape, dtype=position.dtype)
    at = (position + (edges // 2).to(position)) * (2 / (edges - 1).to(position)) - 1
    channels = torch.view_as_real(values).movedim(-1, 0) if values.is_complex() else values[None]
    grid = at.flip(-1).reshape(1, *(1,) * (ndim - 1), -1, ndim).to(channels)
    found = torch.nn.functional.grid_sample(channels[None], grid, align_corners=True).reshape(len(channels), -1)
    whole = torch.complex(found[0], found[1]) if values.is_complex() else found[0]
    return whole.reshape(position.shape[:-1])


def finer(density: Tensor, factor: int = _FINER) -> Tensor:
    """Density by Fourier interpolation on a grid ``factor`` times as fine, (spatial) -> (factor * spatial).

    Origins at n // 2; the values are those of the density, not scaled.
    """
    spectrum = fourier(density, density.ndim)
    for axis, n in enumerate(density.shape):
        if n % 2 == 0:  # the frequency of both signs, by halves: only then real stays real
            first = spectrum.narrow(axis, 0, 1)
            spectrum = torch.cat([first / 2, spectrum.narrow(axis, 1, n - 1), first.clone() / 2], dim=axis)
            wanted = factor * n
            before = wanted // 2 - n // 2
            widths = [0, 0] * (density.ndim - 1 - axis) + [before, wanted - n - 1 - before]
            spectrum = torch.nn.functional.pad(spectrum, widths)
        else:
            edges = [*spectrum.shape]
            edges[axis] = factor * n
            spectrum = pad(spectrum, edges)
    fine = inverse_fourier(spectrum, density.ndim) * float(factor ** (density.ndim / 2))
    return fine if density.is_complex() else fine.real.contiguous()


def rotated(density: Tensor, quaternion: Tensor, scale: int = 1) -> Tensor:
    """Rotated densities by linear interpolation, (spatial) and (B, 4) -> (B, spatial / scale): result(r) = rho(R^T r).

    Args:
        density: (spatial) real or complex, origin at n // 2, on a grid ``scale`` times as fine as the result's.
        quaternion: (B, 4) unit quaternions w, x, y, z.
        scale: Voxels of the density along the edge of one of the result.
    """
    ndim, shape = density.ndim, [n // scale for n in density.shape]
    grid = _grid(shape).reshape(-1, ndim)
    back = matrices_of(quaternion.double(), ndim)
    return torch.stack([sampled(density, (scale * (grid @ one)).float()).reshape(shape) for one in back])


def moved(density: Tensor, quaternion: Tensor, shift: Sequence[float] | Tensor) -> Tensor:
    """One density rotated about n // 2 and then shifted, by a quintic spline: result(r) = rho(R^T (r - shift)).

    Args:
        density: (spatial) real or complex; 0 beyond the array.
        quaternion: (4,) unit quaternion.
        shift: (ndim,) translation after the rotation, voxel.
    """
    shape, ndim = density.shape, density.ndim
    fine = finer(density).numpy()
    position = (_grid(shape) - torch.as_tensor(shift, dtype=torch.float64)) @ matrices_of(quaternion.double(), ndim)
    at = (_FINER * position + torch.tensor([n // 2 for n in fine.shape])).movedim(-1, 0).numpy()
    found = np.asarray(map_coordinates(fine, at, order=_ORDER))
    return torch.from_numpy(found).to(density.dtype)


def _grid(shape: Sequence[int]) -> Tensor:
    """Positions of voxels from n // 2, (spatial, ndim) float64."""
    edges = [torch.arange(n, dtype=torch.float64) - n // 2 for n in shape]
    return torch.stack(torch.meshgrid(*edges, indexing="ij"), dim=-1)
