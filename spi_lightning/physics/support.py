"""Supports of densities, asymmetry, and connected parts of thresholded autocorrelations."""

import math

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor


def ideal_support(density: Tensor, fraction: float = 0.1, ndim: int = 2) -> Tensor:
    """True where |density| exceeds a fraction of its maximum: the true support of a projected density.

    Args:
        density: (..., y, x) or (..., z, y, x), real or complex.
        fraction: Threshold as a share of the largest |density| of each image.
        ndim: Number of axes of an image.

    Returns:
        Bool of the same shape; all False for a density that is 0 everywhere.

    Source: Bellisario & Ekeberg (2024), Sect. 2, with the 10 % of their thresholds.
    """
    size = density.abs()
    inside: Tensor = size > fraction * size.amax(tuple(range(-ndim, 0)), keepdim=True)
    return inside


def own_parts(region: Tensor, ndim: int = 2, smallest: float = math.inf, share: float = 0.0) -> Tensor:
    """Connected parts of a thresholded autocorrelation that belong to it: the middle and side lobes, not noise specks.

    A particle in one piece has an autocorrelation in one piece, around w = 0. Pieces that lie further apart than they
    are wide add side lobes, which differ from noise specks only by their size. Pixels of one part touch by
    edge, corner or, in volumes, face.

    Args:
        region: (..., y, x) or (..., z, y, x), bool, w = 0 at n // 2; each image by itself.
        ndim: Number of axes of an image.
        smallest: Pixels that a part away from the middle has at least to count as a side lobe; infinite: none counts.
        share: The same threshold as a share of the pixels of the middle part; the larger of the two applies.

    Returns:
        Bool of the same shape and device; no middle part where w = 0 is False.
    """
    images = region.reshape(-1, *region.shape[-ndim:]).cpu().numpy()
    if not images.size:
        return region.clone()
    touching = np.zeros((3,) * (ndim + 1))
    touching[1] = 1  # within an image, never from one to the next
    parts, _ = ndimage.label(images, touching)
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    middle = parts[(slice(None), *(n // 2 for n in images.shape[1:]))].reshape(-1, *(1,) * ndim)
    least = np.maximum(smallest, share * sizes[middle])
    kept = (parts > 0) & ((parts == middle) | (sizes[parts] >= least))
    return torch.from_numpy(kept).reshape(region.shape).to(region.device)
