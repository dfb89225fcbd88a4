"""Displacement and strain along Q from the phase of a Bragg density.

Sign: atoms displaced by u scatter exp(-2 pi i (h + q).(r + u)) in this project's transform, so that the density
near a reflection h carries the phase -2 pi h.u = -Q.u: u along Q is -phase / |Q|. Wu et al. (2021) write exp(+i Q.r),
the conjugate: there it is +phase / |Q|. ``transform_sign`` states the convention: -1 ours, +1 theirs.
"""

import math

import torch
from torch import Tensor

from spi_lightning.errors import UserError


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
