"""Supports of densities: the true one, and autocorrelations and their supports from measured intensities alone."""

import math

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from spi_lightning.errors import UserError

from .fourier import fourier, inverse_fourier
from .twin import invert


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


_ANNULUS = 2.5  # pixels beyond the first measured one that are used to fill a missing centre
_LEVELS = (0.05, 0.01, 0.003)  # of the autocorrelation at w = 0: its region, from round to round
_MARGIN, _STEPS = 3, 12  # pixels around that region; conjugate gradients of each round
_CONVERGED = 1e-10  # of the first squared residual: below it a pattern has converged
_HIGHEST = 4.0  # a filled centre is at most exp(4) times the brightest pixel around it


def autocorrelation(intensity: Tensor, mask: Tensor | None = None, ndim: int = 2) -> Tensor:
    """Autocorrelation of the density, sum_r rho(r) rho*(r + w) / sqrt(pixels), from its diffraction intensity.

    Args:
        intensity: (..., y, x) or (..., z, y, x) float, photons or relative, beam centre at n // 2.
        mask: Same shape (or one that broadcasts), bool, True = measured; what is missing is filled first, see
            fill_unmeasured.
        ndim: Number of axes of a pattern.

    Returns:
        The same shape, real; w = 0 at n // 2; its largest value is there.
    """
    if mask is not None:
        intensity = fill_unmeasured(intensity, mask.expand_as(intensity), ndim)
    real: Tensor = inverse_fourier(intensity, ndim).real
    return real


def fill_unmeasured(intensity: Tensor, mask: Tensor, ndim: int = 2) -> Tensor:
    """Fill unmeasured pixels without knowledge of the particle: Friedel mates, Guinier's law, least squares.

    A pixel takes the value of its Friedel mate, I(-q) = I(q). The pixels around the centre whose mates are missing too
    follow a Gaussian (Guinier's law) fitted to the measured ones around them; all others begin at 0. Then all these
    are fitted so that the autocorrelation outside a region that shrinks to its support is least.

    Args:
        intensity: (..., y, x) or (..., z, y, x) float, photons or relative.
        mask: The same shape, bool, True = measured.
        ndim: Number of axes of a pattern.

    Returns:
        Intensities of the same shape, 0 or more. A hole wider than the central speckle is not determined, see
        Bellisario & Ekeberg (2024), Sect. 5.
    """
    measured = torch.where(mask, intensity, 0)
    mate = invert(mask, ndim)
    filled = torch.where(mask, measured, torch.where(mate, invert(measured, ndim), 0))
    known, flat = ((mask | mate).reshape(-1, *mask.shape[-ndim:]), filled.reshape(-1, *mask.shape[-ndim:]))
    lacking = ~known.flatten(1).all(1) & known.flatten(1).any(1)
    if bool(lacking.any()):
        flat = flat.clone()
        started = _fill_centre(flat[lacking], known[lacking], ndim)
        flat[lacking] = _fit_unmeasured(started, known[lacking], ndim)
    return flat.reshape(intensity.shape)


def _fit_unmeasured(intensity: Tensor, known: Tensor, ndim: int) -> Tensor:
    """Least squares of the autocorrelation outside a region, over the unknown pixels, by conjugate gradients."""
    pool = torch.nn.functional.max_pool2d if ndim == 2 else torch.nn.functional.max_pool3d
    axes = tuple(range(-ndim, 0))
    for level in _LEVELS:
        found = autocorrelation(intensity, ndim=ndim)
        inside = (found > level * at_origin(found, ndim)).float()[:, None]
        outside = pool(inside, 2 * _MARGIN + 1, stride=1, padding=_MARGIN)[:, 0] == 0

        def normal(image: Tensor, outside: Tensor = outside) -> Tensor:
            """Normal equations: autocorrelation outside the region, transformed back to the unknown pixels."""
            return torch.where(known, 0, fourier(outside * inverse_fourier(image, ndim).real, ndim).real)

        residual = -normal(intensity)
        direction, power = residual, residual.square().sum(axes, keepdim=True)
        least = _CONVERGED * power  # a few pixels converge before the last step
        for _ in range(_STEPS):
            sent = normal(direction)
            curvature = (direction * sent).sum(axes, keepdim=True)
            step = torch.where((power > least) & (curvature > 0), power / curvature, 0)
            intensity, residual = intensity + step * direction, residual - step * sent
            before, power = power, residual.square().sum(axes, keepdim=True)
            direction = residual + torch.where(before > least, power / before, 0) * direction
        intensity = intensity.clamp_min(0)
    return intensity


def _fill_centre(intensity: Tensor, known: Tensor, ndim: int) -> Tensor:
    """Weighted fit of log I = c - q.C.q around the hole, (n, ...); the weights are those of photon counts."""
    axes = torch.meshgrid(*_coordinates(known, ndim), indexing="ij")
    radius = torch.stack(axes).square().sum(0).sqrt()
    first = torch.where(known, radius, torch.inf).flatten(1).amin(1).reshape(-1, *(1,) * ndim)
    near = radius <= first + _ANNULUS
    terms = [torch.ones_like(radius)] + [axes[i] * axes[j] for i in range(ndim) for j in range(i, ndim)]
    basis = torch.stack(terms).flatten(1).double()  # (terms, pixels)
    used = (known & near & (intensity > 0)).flatten(1)
    value = intensity.flatten(1).double().clamp_min(torch.finfo(torch.float32).tiny)
    weight = torch.where(used, value, 0)
    weight = weight / weight.sum(1, keepdim=True).clamp_min(1e-300)
    normal = torch.einsum("tp,np,sp->nts", basis, weight, basis)
    normal += 1e-9 * torch.eye(len(terms), device=normal.device, dtype=normal.dtype)
    right = torch.einsum("tp,np->nt", basis, weight * torch.log(value))
    fitted = torch.linalg.solve(normal, right) @ basis
    brightest = torch.where(used, value, 0).amax(1, keepdim=True)
    fitted = torch.minimum(fitted, torch.log(brightest.clamp_min(1e-300)) + _HIGHEST).exp().to(intensity.dtype)
    hole = ~known & near & ~at_origin(known, ndim)
    return torch.where(hole, fitted.reshape(intensity.shape), intensity)


def shot_noise(intensity: Tensor, ndim: int = 2) -> Tensor:
    """Standard deviation of the autocorrelation of counted photons away from w = 0, (...).

    sum_q I(q) cos^2(2 pi q.w) / pixels, with cos^2 = 1/2 on average, is the variance of the real part.
    """
    axes = tuple(range(-ndim, 0))
    return (intensity.sum(axes) / (2 * math.prod(intensity.shape[-ndim:]))).sqrt()


def are_counts(intensity: Tensor, ndim: int = 2) -> Tensor:
    """True for patterns that hold whole numbers, two or more of them different from 0: photons; (...).

    Intensities are compared exactly. One pixel alone may be a point of unit height instead of a photon, and has no
    shot noise to be told from a signal. Of square roots, which are rounded, see physics.photons.holds_counts.
    """
    axes = tuple(range(-ndim, 0))
    whole = (intensity == intensity.round()).all(dim=axes)
    return whole & ((intensity > 0).sum(axes) > 1)


def autocorrelation_support(
    intensity: Tensor,
    mask: Tensor | None = None,
    threshold: float = 1e-4,
    noise: float = 4.0,
    photons: bool | None = None,
    connected: bool | None = None,
    ndim: int = 2,
) -> tuple[Tensor, Tensor]:
    """Support of the autocorrelation: above a fraction of its maximum and above shot noise.

    Args:
        intensity: (B, y, x) or (B, z, y, x) float, photons or relative, beam centre at n // 2.
        mask: The same shape, bool, True = measured; None: all.
        threshold: Fraction of the autocorrelation at w = 0.
        noise: Standard deviations of shot noise that a pixel must reach; 0: none.
        photons: Whether the intensities are counts, and noisy; None: where they are whole numbers.
        connected: Keep only what hangs together with w = 0, which drops specks of noise, but side lobes too, see
            physics.support.own_parts; None: in noisy patterns only.
        ndim: Number of axes of a pattern.

    Returns:
        The region, the same shape, bool, symmetric, w = 0 at n // 2 inside; and the autocorrelation.

    Raises:
        UserError: The threshold is not inside (0, 1), or ``noise`` is negative.
    """
    if not 0 < threshold < 1 or noise < 0:
        raise UserError(f"threshold={threshold:g} must lie between 0 and 1, and noise={noise:g} must not be negative")
    found = autocorrelation(intensity, mask, ndim)
    level = threshold * at_origin(found, ndim)
    counted = are_counts(intensity, ndim) if photons is None else torch.as_tensor(photons, device=level.device)
    level = torch.maximum(level, over_axes(torch.where(counted, noise * shot_noise(intensity, ndim), 0), ndim))
    region = found > level
    at_origin(region, ndim).fill_(True)
    region = region & invert(region, ndim)
    clean = counted if connected is None else torch.as_tensor(connected, device=level.device)
    if bool(clean.any()):
        region = torch.where(over_axes(clean, ndim), own_parts(region, ndim), region)
    return region, found


def at_origin(image: Tensor, ndim: int) -> Tensor:
    """View of the values at n // 2, (..., 1, 1) or (..., 1, 1, 1)."""
    for axis in range(-ndim, 0):
        image = image.narrow(axis, image.shape[axis] // 2, 1)
    return image


def over_axes(values: Tensor, ndim: int) -> Tensor:
    """One value for each image, (...), as (..., 1, 1) or (..., 1, 1, 1)."""
    return values.reshape(*values.shape, *(1,) * ndim)


def _coordinates(image: Tensor, ndim: int) -> list[Tensor]:
    return [torch.arange(n, device=image.device, dtype=torch.float32) - n // 2 for n in image.shape[-ndim:]]
