"""Canonical position and twin of a density, which a far-field pattern does not determine.

rho(r), its translations and the twin rho*(-r) have the same diffraction amplitudes. RULE, written into files
of densities, selects one of them, in two and three dimensions alike.
"""

from typing import Final

import torch
from torch import Tensor

RULE: Final = (
    "centre of mass of |density| at n // 2; Im[sum(density r^2) conj(sum(density))] >= 0, r from n // 2; where that is "
    "below 1e-4 of its bound, the third moment sum(|density| |r|^2 r) points to larger x, where that vanishes y, then z"
)
_LEAST_CURVATURE: Final = 1e-4  # of its bound: below, the phase has no even part that could decide
_LEAST_MOMENT: Final = 1e-6  # of n^3, n the last edge: below, a component of the third moment vanishes


def invert(image: Tensor, ndim: int) -> Tensor:
    """Inversion rho(-r) about n // 2, (..., spatial) -> (..., spatial); periodic: index 0 of an even axis stays."""
    axes = tuple(range(-ndim, 0))
    even = [1 - image.shape[axis] % 2 for axis in axes]
    return torch.roll(image.flip(axes), even, axes)


def twin(density: Tensor, ndim: int) -> Tensor:
    """Twin rho*(-r) with the same Fourier amplitudes, (..., spatial) -> (..., spatial), dtype kept."""
    inverted = invert(density, ndim)
    return inverted.conj() if density.is_complex() else inverted


def centre_of_mass(density: Tensor, ndim: int) -> Tensor:
    """Mean position of |density| relative to the origin n // 2, (..., ndim), pixel; of an image that does not wrap."""
    weight, centre = density.abs(), []
    total = weight.sum(tuple(range(-ndim, 0))).clamp_min(torch.finfo(weight.dtype).tiny)
    for axis, coordinate in zip(range(-ndim, 0), _coordinates(weight, ndim), strict=True):
        along = weight.sum([other for other in range(-ndim, 0) if other != axis])
        centre.append((along * coordinate.flatten()).sum(-1) / total)
    return torch.stack(centre, dim=-1)


def third_moment(density: Tensor, ndim: int) -> Tensor:
    """The vector sum |density| |r|^2 r / sum |density|, (..., ndim), pixel^3; it changes sign with the twin."""
    weight, axes = density.abs(), tuple(range(-ndim, 0))
    coordinates = _coordinates(weight, ndim)
    squared = sum((coordinate.square() for coordinate in coordinates), start=torch.zeros((), device=weight.device))
    weight, total = weight * squared, weight.sum(axes).clamp_min(torch.finfo(weight.dtype).tiny)
    return torch.stack([(weight * coordinate).sum(axes) / total for coordinate in coordinates], dim=-1)


def is_canonical(density: Tensor, ndim: int) -> Tensor:
    """True where a centred density, not its twin, is the canonical one, see RULE.

    The phase of a complex density curves upward, Im[sum(rho r^2) conj(sum(rho))] >= 0: the twin changes the sign, a
    constant phase and wraps do not. Where there is no phase, or none with an even part,
    the third moment points to larger x; where its last component vanishes the one before decides.

    Args:
        density: (..., y, x) or (..., z, y, x), real or complex, centre of mass of |density| at n // 2.
        ndim: Number of axes of the image.

    Returns:
        (...) bool; a density equal to its twin is canonical.
    """
    moment = third_moment(density, ndim)
    threshold = _LEAST_MOMENT * density.shape[-1] ** 3
    decided = torch.zeros(moment.shape[:-1], dtype=torch.bool, device=moment.device)
    canonical = torch.ones_like(decided)
    for component in moment.flip(-1).unbind(-1):
        clear = ~decided & (component.abs() > threshold)
        canonical = torch.where(clear, component > 0, canonical)
        decided |= clear
    if not density.is_complex():
        return canonical
    upward = _phase_curvature(density, ndim)
    return torch.where(upward.abs() > _LEAST_CURVATURE, upward > 0, canonical)


def _phase_curvature(density: Tensor, ndim: int) -> Tensor:
    """Im[sum(rho r^2) conj(sum(rho))] of complex densities (..., spatial) over its bound, within -1 and 1; (...)."""
    axes = tuple(range(-ndim, 0))
    edges = (torch.arange(n, device=density.device) - n // 2 for n in density.shape[-ndim:])
    square = torch.stack(torch.meshgrid(*edges, indexing="ij")).square().sum(0).to(density.real.dtype)
    amplitude = density.abs()
    curvature = (density * square).sum(axes) * density.sum(axes).conj()
    bound = (amplitude * square).sum(axes) * amplitude.sum(axes)
    return curvature.imag / bound.clamp_min(1e-30)


def canonical(density: Tensor, ndim: int) -> Tensor:
    """Canonical one of rho(r) and rho*(-r), centred by its centre of mass, as used for all targets.

    Args:
        density: (..., y, x) or (..., z, y, x), real or complex; it may wrap around the edges.
        ndim: Number of axes of the image.

    Returns:
        The same shape: the centre of mass of |density| on the pixel nearest to n // 2, the twin as in
        ``is_canonical``. rho(r), rho*(-r) and any whole-pixel translation of them give the same answer.
    """
    centred = centre(density, ndim)
    keep = is_canonical(centred, ndim)
    return torch.where(keep[(..., *(None,) * ndim)], centred, twin(centred, ndim))


def canonical_amplitude_phase(amplitude: Tensor, phase: Tensor, phase_range: Tensor) -> tuple[Tensor, Tensor]:
    """Canonical twin as amplitude and phase, which keeps phases beyond pi unwrapped and within [0, range].

    Args:
        amplitude, phase: (B, z, y, x), centred; phase in rad, 0 where the amplitude is 0.
        phase_range: (B,) largest phases, rad; the phase of the twin is range - phase(-r).

    Source: physics of Wu et al. (2021): s(r) e^(i phi) and s(-r) e^(i (1 - phi(-r))) share eq. 1.
    """
    keep = is_canonical(torch.polar(amplitude, phase), 3)[:, None, None, None]
    inverted = invert(amplitude, 3)
    turned = torch.where(inverted > 0, phase_range[:, None, None, None] - invert(phase, 3), 0.0)
    return torch.where(keep, amplitude, inverted), torch.where(keep, phase, turned)


def centre(density: Tensor, ndim: int) -> Tensor:
    """Roll the centre of mass of |density| to the pixel nearest to n // 2; one that wraps is put together first."""
    rolled = roll_each(density, -_circular_centre(density, ndim).round().long(), ndim)
    return roll_each(rolled, -centre_of_mass(rolled, ndim).round().long(), ndim)


def roll_each(image: Tensor, shift: Tensor, ndim: int) -> Tensor:
    """Roll every image of a batch by its own whole pixels, (..., spatial) with shift (..., ndim) int64."""
    if not bool(shift.any()):
        return image
    for axis in range(-ndim, 0):
        edge, view = image.shape[axis], [1] * ndim
        view[axis] = edge
        along = torch.arange(edge, device=image.device).view(view)
        index = (along - shift[..., axis][(..., *(None,) * ndim)]) % edge
        image = image.gather(axis, index.expand(image.shape))
    return image


def _circular_centre(density: Tensor, ndim: int) -> Tensor:
    """Circular mean position of |density| along each periodic axis, relative to n // 2; (..., ndim) pixel."""
    weight, centre = density.abs(), []
    for axis, coordinate in zip(range(-ndim, 0), _coordinates(weight, ndim), strict=True):
        along = weight.sum([other for other in range(-ndim, 0) if other != axis])
        angle = 2 * torch.pi / density.shape[axis] * coordinate.flatten()
        mean = torch.atan2((along * angle.sin()).sum(-1), (along * angle.cos()).sum(-1))
        centre.append(mean * density.shape[axis] / (2 * torch.pi))
    return torch.stack(centre, dim=-1)


def _coordinates(image: Tensor, ndim: int) -> list[Tensor]:
    """Pixel positions from the origin n // 2 along each axis, broadcastable to the image.

    Index 0 of an even axis is its own mirror image and counts as 0.
    """
    coordinates = []
    for axis in range(ndim):
        edge, view = image.shape[axis - ndim], [1] * ndim
        view[axis] = edge
        along = torch.arange(edge, device=image.device, dtype=image.dtype) - edge // 2
        if edge % 2 == 0:
            along[0] = 0
        coordinates.append(along.view(view))
    return coordinates
