"""Supports: where the particle is."""

import torch
from torch import Tensor

from spi_lightning.physics.ambiguity import invert


def ideal_support(density: Tensor, fraction: float = 0.1, ndim: int = 2) -> Tensor:
    """True where |density| exceeds a fraction of its maximum: the true support of a projected density.

    Args:
        density: (..., y, x) or (..., z, y, x), real or complex.
        fraction: Of the largest |density| of each image.
        ndim: Axes of an image.

    Returns:
        Bool of the same shape; all False for a density that is 0 everywhere.

    Source: Bellisario & Ekeberg (2024), Sect. 2, with the 10 % of their thresholds.
    """
    size = density.abs()
    inside: Tensor = size > fraction * size.amax(tuple(range(-ndim, 0)), keepdim=True)
    return inside


def asymmetry(density: Tensor, ndim: int = 2) -> Tensor:
    """How far a density is from its own inversion: || rho(r) - rho(-r) || / (2 || rho ||), (...), 0 to 1.

    Measured about the origin n // 2; 0 for a centrosymmetric density, which no phasing can tell from its twin.
    """
    axes = tuple(range(-ndim, 0))
    norm = torch.linalg.vector_norm(density, dim=axes).clamp_min(1e-30)
    ratio: Tensor = torch.linalg.vector_norm(density - invert(density, ndim), dim=axes) / (2 * norm)
    return ratio
