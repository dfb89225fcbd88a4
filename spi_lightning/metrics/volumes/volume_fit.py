"""Fit of densities to a measured 3D pattern, over fitted and held-out voxels, and errors against a known density."""

import torch
from torch import Tensor

from spi_lightning.metrics.shells import shells
from spi_lightning.phasing.align import alignment
from spi_lightning.physics.agreement import amplitude_errors, held_out_chi_square, pearson, predicted_amplitude

_INSIDE = 0.1  # share of the largest true amplitude above which a voxel is the particle's


def volume_truth(density: Tensor, truth: Tensor) -> dict[str, Tensor]:
    """Errors against the truth after alignment of sub-voxel translation, twin, constant phase and scale.

    Args:
        density: (B, Z, Y, X) complex densities in arrays large enough that shifts do not wrap.
        truth: (Z, Y, X) complex true density.

    Returns:
        (B,) each: ``density_error`` ||rho - truth|| / ||truth|| at the best scale; ``phase_rms``, rad, over the voxels
        where |truth| exceeds 10 % of its maximum; ``amplitude_correlation``, Pearson's, over the voxels where |truth|
        or |rho| exceeds 10 % of its maximum.
    """
    moved = alignment(density.to(torch.complex128), truth.to(torch.complex128), subpixel=True)
    overlap = moved.overlap.clamp(0, 1)
    size, true_size = moved.density.abs(), truth.abs().double()
    inside = true_size > _INSIDE * true_size.max()
    angle = (moved.density * truth.conj()).angle()
    phase_rms = (angle.square() * inside).flatten(1).sum(1).div(inside.sum()).sqrt()
    either = inside | (size > _INSIDE * size.flatten(1).amax(1)[:, None, None, None])
    return {
        "density_error": (1 - overlap.square()).clamp_min(0).sqrt(),
        "phase_rms": phase_rms,
        "amplitude_correlation": pearson(size, true_size.expand_as(size), either),
    }


_AT_ONCE = 2**22  # voxels transformed together


def volume_fit(
    density: Tensor,
    fourier_amplitude: Tensor,
    fitted: Tensor,
    held_out: Tensor,
    point_spread: Tensor | None = None,
) -> dict[str, Tensor]:
    """Chi square and r_p of both kinds over fitted and (``held_out_...``) held-out voxels, in float64.

    Args:
        density: (B, z, y, x) complex densities in a box at any position.
        fourier_amplitude: (Z, Y, X) measured amplitudes.
        point_spread: (B, 3) blur widths in pixels, see predicted_amplitude.
        fitted, held_out: (Z, Y, X) bool without a common voxel; without held-out voxels their entries are absent.

    Returns:
        (B,) each, by name; the closed-form scale over the fitted voxels serves both.
    """
    parts = []
    step = max(1, _AT_ONCE // fitted.numel())
    spreads = [None] * len(density) if point_spread is None else torch.split(point_spread, step)
    for piece, spread in zip(torch.split(density, step), spreads, strict=False):
        predicted = predicted_amplitude(piece.to(torch.complex128), spread, fitted.shape)
        measured, mask = fourier_amplitude.double().expand_as(predicted), fitted.expand_as(predicted)
        numbers = amplitude_errors(predicted, measured, mask)
        if bool(held_out.any()):
            others = held_out.expand_as(predicted)
            numbers["held_out_chi_square"] = held_out_chi_square(predicted, measured, mask, others)
            numbers["held_out_correlation"] = pearson(predicted, measured, others)
            numbers["held_out_correlation_modified"] = pearson(predicted, measured, others, "modified")
        parts.append(numbers)
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def spectral_weight(fourier_amplitude: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Fourier spectral weight: frequencies (S,) in cycles per voxel, and amplitudes summed over shells (..., S).

    Args:
        fourier_amplitude: (..., Z, Y, X) amplitudes, origin at n // 2.
        mask: (Z, Y, X) bool, True in the voxels that count; None: all.

    Source: Wu et al. (2021), Fig. 3i, "Fourier spectral weight".
    """
    rings = shells(fourier_amplitude.shape[-3:])
    values = fourier_amplitude if mask is None else fourier_amplitude * mask
    return rings.frequency, rings.sum(values)
