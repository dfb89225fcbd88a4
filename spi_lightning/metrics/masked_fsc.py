"""Correlation of two masked densities, and the part of it that the mask makes: the control of randomised phases."""

import math
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from spi_lightning.physics.fourier import radial_frequency, turned
from spi_lightning.physics.twin import invert

from .fsc import FSC, fsc, independent_pixels, with_crossings
from .shells import shells

_TRUSTED: Final = 0.8  # of the correlation without a mask: phases are randomised beyond where it falls below
_SPARED: Final = 2  # shells beyond that frequency, which leak, stay uncorrected


@dataclass(frozen=True)
class MaskedFSC:
    """Correlation of two densities within a mask.

    Attributes:
        corrected: Correlation less that of randomised phases, (masked - randomised) / (1 - randomised), beyond the
            frequency from which phases are randomised; the one to read a resolution from.
        masked: (S,) correlation of the masked densities.
        randomised: (S,) the same after their phases were randomised beyond that frequency.
        beyond: Frequency from which phases are randomised, cycles per pixel; NaN: nowhere, as the correlation without
            a mask never falls below 0.8.
    """

    corrected: FSC
    masked: Tensor
    randomised: Tensor
    beyond: float


def masked_fsc(a: Tensor, b: Tensor, mask: Tensor, seed: int = 0) -> MaskedFSC:
    """Fourier shell correlation within a soft mask, with the control of randomised phases.

    Args:
        a, b: (spatial) real or complex densities, aligned.
        mask: (spatial) float, 0 to 1.
        seed: Seed of the random phases.

    Source: Chen et al. (2013), Ultramicroscopy 135, 24, Eqs. 1-4, phases randomised beyond a correlation of 0.8.
    """
    ndim, oversampling = a.ndim, mask_oversampling(mask)
    masked = fsc(a * mask, b * mask, ndim, oversampling)
    beyond = float(fsc(a, b, ndim).falls_below(_TRUSTED))
    if math.isnan(beyond):
        return MaskedFSC(masked, masked.curve, torch.full_like(masked.curve, torch.nan), beyond)
    first, second = (randomised_phases(each, beyond, seed + number) for number, each in enumerate((a, b)))
    random = fsc(first * mask, second * mask, ndim).curve
    from_there = masked.frequency > beyond + _SPARED / max(a.shape)
    corrected = torch.where(from_there, (masked.curve - random) / (1 - random).clamp_min(1e-6), masked.curve)
    independent = independent_pixels(shells(a.shape).pixels, ndim, oversampling, not (a.is_complex() or b.is_complex()))
    return MaskedFSC(with_crossings(corrected, masked.frequency, independent), masked.curve, random, beyond)


def mask_oversampling(mask: Tensor) -> float:
    """Ratio of array to mask (spatial), per axis: the root of the ratio of their volumes."""
    return float((mask.numel() / mask.double().sum().clamp_min(1)) ** (1 / mask.ndim))


def randomised_phases(density: Tensor, beyond: float, seed: int) -> Tensor:
    """Density (spatial) whose Fourier phases beyond a frequency, cycles per pixel, are random; real stays real."""
    generator = torch.Generator().manual_seed(seed)
    phase = 2 * math.pi * torch.rand(density.shape, generator=generator, dtype=density.abs().dtype)
    if not density.is_complex():
        phase = phase - invert(phase, density.ndim)  # odd, and still even over the circle
    return turned(density, density.ndim, torch.where(radial_frequency(density.shape) > beyond, phase, 0))
