"""Phase without ramp and offset, which diffraction does not determine; displacement and strain along Q from it.

Sign: atoms displaced by u scatter exp(-2 pi i (h + q).(r + u)) in this project's transform, so that the density
near a reflection h carries the phase -2 pi h.u = -Q.u: u along Q is -phase / |Q|. Wu et al. (2021) write exp(+i Q.r),
the conjugate: there it is +phase / |Q|. ``transform_sign`` states the convention: -1 for exp(-2 pi i q.r), as here,
+1 for its conjugate.
"""

import math
import warnings

import numpy as np
import torch
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
        from skimage.restoration import unwrap_phase  # slow to import, of scans alone

        phase = np.asarray(unwrap_phase(wrapped, rng=0).filled(0.0))  # type: ignore[no-untyped-call]
    unwrapped = torch.from_numpy(phase).to(density.device)
    turns = (unwrapped[support].median() / (2 * torch.pi)).round()
    return torch.where(support, unwrapped - 2 * torch.pi * turns, 0.0).to(density.real.dtype)


def displacement(phase: Tensor, q: Tensor, transform_sign: int = -1) -> Tensor:
    """Displacement along Q, m, from an unwrapped phase.

    Args:
        phase: (..., z, y, x) rad, unwrapped, ramp removed.
        q: (3,) scattering vector of the reflection, 1/m; |Q| = 2 pi |q|.
        transform_sign: -1 for densities of this project's transform, +1 for exp(+i Q.r).
    """
    _check(transform_sign)
    return transform_sign * phase / (2 * math.pi * float(q.norm()))


def strain(density: Tensor, support: Tensor, vectors: Tensor, q: Tensor, transform_sign: int = -1) -> Tensor:
    """Strain along Q, d(u_Q)/d(x_Q), dimensionless; positive: lattice planes further apart than the crystal's mean.

    Differences of the phase are taken between neighbours as the angle of their quotient, which wraps do not disturb:
    the mean of the forward and backward difference where both neighbours are inside, one of them at the surface.

    Args:
        density: (..., z, y, x) complex, any skewed or cubic axes.
        support: Bool of the same shape, True inside.
        vectors: (3, 3) voxel steps, m, columns; voxel size times the identity in the laboratory frame.
        q: (3,) scattering vector in the frame of ``vectors``, 1/m.
        transform_sign: Sign of the transform, as in displacement.

    Returns:
        (..., z, y, x) real; NaN outside the support and where no neighbour is inside along some axis.
    """
    _check(transform_sign)
    unit = q / q.norm()
    # d/dr = A^-T d/dn, so the derivative along Q takes the share A^-1 Q of each axis.
    shares = torch.linalg.inv(vectors) @ unit
    along = torch.zeros(density.shape, dtype=density.real.dtype, device=density.device)
    known = support.clone()
    for axis, share in enumerate(shares.tolist(), start=density.ndim - 3):
        slope, there = _slope(density, support, axis)
        along += share * slope
        known &= there | (abs(share) < 1e-6 * float(shares.abs().max()))
    result = transform_sign * along / (2 * math.pi * float(q.norm()))
    return torch.where(known, result, torch.nan)


def _slope(density: Tensor, support: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """Phase difference per voxel along an axis, rad, and where it is known."""
    n = density.shape[axis]
    pair = support.narrow(axis, 1, n - 1) & support.narrow(axis, 0, n - 1)
    step = (density.narrow(axis, 1, n - 1) * density.narrow(axis, 0, n - 1).conj()).angle() * pair
    total, count = torch.zeros_like(density.real), torch.zeros_like(density.real)
    for start in (0, 1):
        total.narrow(axis, start, n - 1).add_(step)
        count.narrow(axis, start, n - 1).add_(pair)
    return total / count.clamp_min(1), count > 0


def _check(transform_sign: int) -> None:
    if transform_sign not in (-1, 1):
        raise UserError(f"transform_sign={transform_sign}: give -1 (exp(-2 pi i q.r), this project) or 1 (exp(+i Q.r))")
