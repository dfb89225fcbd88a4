"""One of the twins: rho(r) and its complex conjugate at -r have the same diffraction amplitudes; which one is meant.

The rule, kept in every file as RULE: the amplitude's centre of mass lies at voxel n // 2 (to the nearest voxel), and
the phase curves upward, Im[sum(rho r^2) conj(sum(rho))] >= 0, which the twin turns round, a constant phase does not and
wrapped phases do not disturb. Where that says nothing (no even part of the phase), the amplitude's third moment along
a fixed oblique direction is positive.
"""

from typing import Final

import torch
from torch import Tensor

RULE: Final = (
    "centre of mass of |density| at n // 2; Im[sum(density r^2) conj(sum(density))] >= 0, r from n // 2; "
    "where that is below 1e-4 of its bound, the third moment of |density| along (z, y, x) = (1, 2, 3) / sqrt(14) >= 0"
)
_UNDECIDED: Final = 1e-4
_DIRECTION: Final = (1.0, 2.0, 3.0)


def invert(volume: Tensor) -> Tensor:
    """v(-r) about voxel n // 2 of the last three axes, any dtype; of an even axis voxel 0 meets itself."""
    axes = (-3, -2, -1)
    shifts = [1 - n % 2 for n in volume.shape[-3:]]
    return volume.flip(axes).roll(shifts, axes)


def twin(density: Tensor) -> Tensor:
    """The twin conj(rho(-r)) of complex densities (..., z, y, x)."""
    return invert(density).conj().resolve_conj()


def centre(density: Tensor) -> Tensor:
    """Roll densities (B, z, y, x) until the centre of mass of |density| is nearest to voxel n // 2."""
    places = [torch.arange(n, device=density.device) for n in density.shape[1:]]
    amplitude = density.abs()
    total = amplitude.flatten(1).sum(1).clamp_min(torch.finfo(amplitude.dtype).tiny)
    index = []
    for axis, place in enumerate(places, start=1):
        others = [other for other in (1, 2, 3) if other != axis]
        mass = (amplitude.sum(others) * place).sum(1) / total
        move = density.shape[axis] // 2 - mass.round().long()
        index.append((place - move[:, None]) % density.shape[axis])
    batch = torch.arange(len(density), device=density.device)[:, None, None, None]
    return density[batch, index[0][:, :, None, None], index[1][:, None, :, None], index[2][:, None, None, :]]


def is_twin(density: Tensor) -> Tensor:
    """(B,) bool: True where centred densities (B, z, y, x), complex or real, are not the twin that the rule means."""
    z, y, x = torch.meshgrid(
        *(torch.arange(n, device=density.device) - n // 2 for n in density.shape[1:]), indexing="ij"
    )
    square = (z**2 + y**2 + x**2).to(density.abs().dtype)
    total, amplitude = density.flatten(1).sum(1), density.abs()
    curvature = (density * square).flatten(1).sum(1) * total.conj()
    bound = (amplitude * square).flatten(1).sum(1) * amplitude.flatten(1).sum(1)
    upward = curvature.imag / bound.clamp_min(1e-30) if density.is_complex() else torch.zeros_like(bound)
    oblique = sum(part * weight for part, weight in zip((z, y, x), _DIRECTION, strict=True)) / 14**0.5
    skew = (amplitude * oblique**3).flatten(1).sum(1)
    return torch.where(upward.abs() > _UNDECIDED, upward < 0, skew < 0)


def canonical(density: Tensor) -> Tensor:
    """The densities (B, z, y, x) centred, each as the twin that the rule means."""
    centred = centre(density)
    return torch.where(is_twin(centred)[:, None, None, None], twin(centred), centred)


def canonical_amplitude_phase(amplitude: Tensor, phase: Tensor, phase_range: Tensor) -> tuple[Tensor, Tensor]:
    """The same for amplitude and phase apart, which keeps phases beyond pi unwrapped and within [0, range].

    Args:
        amplitude, phase: (B, z, y, x), centred; phase 0 where the amplitude is 0.
        phase_range: (B,) rad; the twin's phase is range - phase(-r).

    Source: physics of Wu et al. (2021): s(r) e^(i phi) and s(-r) e^(i (1 - phi(-r))) share eq. 1.
    """
    other = is_twin(torch.polar(amplitude, phase))[:, None, None, None]
    inverted = invert(amplitude)
    turned = torch.where(inverted > 0, phase_range[:, None, None, None] - invert(phase), 0.0)
    return torch.where(other, inverted, amplitude), torch.where(other, turned, phase)
