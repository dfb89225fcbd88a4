"""Removal of phase ramp and offset, which diffraction does not determine, and phase unwrapping."""

import warnings

import numpy as np
import torch
from skimage.restoration import unwrap_phase
from torch import Tensor

from spi_lightning.errors import UserError


def remove_ramp(density: Tensor, support: Tensor) -> tuple[Tensor, Tensor]:
    """Remove the mean phase gradient, which comes of a pattern off the centre of its array.

    The gradient is the angle of the summed products of neighbours, weighted by their amplitudes, which wraps
    do not disturb. The mean strain goes with the ramp: the reference lattice moves by gradient * n / (2 pi) voxels of
    the pattern.

    Args:
        density: (..., z, y, x) complex density.
        support: Bool of the same shape, True inside.

    Returns:
        The density without ramp, and the gradient (..., 3) that was removed, rad per voxel along z, y, x.
    """
    gradients = []
    inside = density * support
    for axis in (-3, -2, -1):
        n = density.shape[axis]
        product = inside.narrow(axis, 1, n - 1) * inside.narrow(axis, 0, n - 1).conj()
        gradients.append(product.sum((-3, -2, -1)).angle())
        position = torch.arange(n, device=density.device, dtype=density.real.dtype) - n // 2
        ramp = gradients[-1][..., None] * position
        shape = [*ramp.shape[:-1], 1, 1, 1]
        shape[axis] = n
        phase = -ramp.reshape(shape)
        density = density * torch.polar(torch.ones_like(phase), phase)
        inside = density * support
    return density, torch.stack(gradients, dim=-1)


def remove_offset(density: Tensor, support: Tensor) -> Tensor:
    """Remove the phase offset: the sum of the density (..., z, y, x) over the support becomes real and positive."""
    total = (density * support).sum((-3, -2, -1), keepdim=True)
    return density * torch.polar(torch.ones_like(total.real), -total.angle())


def unwrap(density: Tensor, support: Tensor) -> Tensor:
    """Unwrapped phase (z, y, x) inside the support, rad, its median near 0; 0 outside.

    Around a dislocation no such phase exists: a cut remains, whose position is arbitrary.

    Args:
        density: (z, y, x) complex density.
        support: (z, y, x) bool, True inside.

    Raises:
        UserError: The support is empty, or the density is a batch.

    Source: Herraez et al. (2002) and its extension to 3D by Abdul-Rahman et al. (2007), as in scikit-image.
    """
    if density.ndim != 3 or not support.any():
        raise UserError(f"unwrapping takes one density (z, y, x) with a support that is not empty, not {density.shape}")
    wrapped = np.ma.masked_array(density.angle().cpu().numpy(), ~support.cpu().numpy())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of axes of length 1
        phase = np.asarray(unwrap_phase(wrapped, rng=0).filled(0.0))  # type: ignore[no-untyped-call]
    unwrapped = torch.from_numpy(phase).to(density.device)
    turns = (unwrapped[support].median() / (2 * torch.pi)).round()
    return torch.where(support, unwrapped - 2 * torch.pi * turns, 0.0).to(density.real.dtype)
