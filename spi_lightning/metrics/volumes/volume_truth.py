"""Errors of complex densities against a known one: of phase, of amplitude, and of both."""

import torch
from torch import Tensor

from spi_lightning.phasing.align import alignment
from spi_lightning.physics.agreement import pearson

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
