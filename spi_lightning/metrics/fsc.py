"""Fourier shell (3D) and ring (2D) correlation of two halves, with the half-bit and 1/e crossings."""

from dataclasses import dataclass
from math import e

import torch
from torch import Tensor

from spi_lightning.physics.fourier import fourier

from .shells import crossing, shells

_TELLING = 0.95  # half-bit threshold from which a shell is ignored


@dataclass(frozen=True)
class FSC:
    """Fourier shell correlation; frequencies in cycles per pixel.

    Attributes:
        curve: (..., S) correlation, -1 to 1.
        frequency: (S,) mean frequency of the shells.
        half_bit: (S,) threshold of half a bit of information per pixel.
        half_bit_crossing, one_over_e_crossing: (...) where the curve first falls below; NaN if it never does. Half
            a bit is compared only beyond the innermost shells, whose few pixels have a threshold near 1.
    """

    curve: Tensor
    frequency: Tensor
    half_bit: Tensor
    half_bit_crossing: Tensor
    one_over_e_crossing: Tensor

    def falls_below(self, threshold: float) -> Tensor:
        """Frequency (...) at which the curve first falls below a fixed threshold, such as 0.5 or 0.143; NaN: never."""
        return crossing(self.frequency[1:], self.curve[..., 1:], threshold)


def half_bit_threshold(independent: Tensor) -> Tensor:
    """Half-bit threshold (0.2071 + 1.9102 / sqrt(n)) / (1.2071 + 0.9102 / sqrt(n)) of n (S,) independent pixels.

    At most 1.

    Source: van Heel & Schatz (2005), J. Struct. Biol. 151, 250, Eq. 17.
    """
    root = independent.clamp_min(1e-12).sqrt()
    return ((0.2071 + 1.9102 / root) / (1.2071 + 0.9102 / root)).clamp_max(1.0)


def fsc(a: Tensor, b: Tensor, ndim: int, oversampling: float = 1.0) -> FSC:
    """Fourier shell correlation of two densities.

    Args:
        a, b: (..., spatial) real or complex densities, aligned (:func:`spi_lightning.phasing.align.align`).
        ndim: Number of spatial axes; 2 makes it a Fourier ring correlation.
        oversampling: Ratio of array to particle, per axis. A pixel shares its information with oversampling^ndim
            neighbours, and with its Friedel mate if the densities are real, so that fewer are independent.

    Returns:
        FSC with curve = Re sum F_a F_b* / sqrt(sum |F_a|^2 sum |F_b|^2) over each shell.
    """
    first, second = fourier(a, ndim), fourier(b, ndim)
    rings = shells(a.shape[-ndim:])
    cross = rings.sum((first * second.conj()).real)
    power = (rings.sum(first.abs().square()) * rings.sum(second.abs().square())).sqrt()
    curve = cross / power.clamp_min(torch.finfo(power.dtype).tiny)
    real = not (a.is_complex() or b.is_complex())
    return with_crossings(curve, rings.frequency, independent_pixels(rings.pixels, ndim, oversampling, real))


def independent_pixels(pixels: Tensor, ndim: int, oversampling: float, real: bool) -> Tensor:
    """Independent pixels of shells (S,) float64; of a real density Friedel mates count once, see fsc."""
    return pixels.double() / ((2.0 if real else 1.0) * oversampling**ndim)


def with_crossings(curve: Tensor, frequency: Tensor, independent: Tensor) -> FSC:
    """A curve (..., S) over the frequencies of shells (S,) with its thresholds, for (S,) independent pixels."""
    half_bit = half_bit_threshold(independent).to(curve)
    # Shells of hardly more than one independent pixel have a threshold that no noisy pair passes; q = 0 is ignored.
    telling = torch.nonzero(half_bit < _TELLING)
    low = max(1, int(telling[0])) if len(telling) else len(half_bit) - 1
    return FSC(
        curve,
        frequency,
        half_bit,
        crossing(frequency[low:], curve[..., low:], half_bit[low:].clamp_max(1 - 1e-6)),
        crossing(frequency[1:], curve[..., 1:], 1 / e),
    )
