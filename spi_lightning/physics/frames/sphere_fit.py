"""Particle size by a fit of the form factor of a sphere to radial profiles, for all patterns and sizes at once."""

from dataclasses import dataclass
from math import pi

import torch
from torch import Tensor

_SIZES = 256
_FIRST_MINIMUM = 4.4934 / pi  # q times diameter where tan x = x, x = pi q d
_PIXELS_PER_FRINGE = 3
_DECAYS = 64  # lengths that are tried
_PARTS = 8  # of a ring, in which its pixels are counted


@dataclass(frozen=True)
class SphereFit:
    """Spheres fitted to B patterns.

    Attributes:
        diameter: (B,) diameters, m; at either end of the sizes tried where none fits.
        amplitude: (B,) square root of the photons per pixel in the forward direction.
        quality: (B,) share of the squared amplitudes that the sphere explains, up to 1; single compact particles reach
            0.95, aggregates and empty frames do not.
    """

    diameter: Tensor
    amplitude: Tensor
    quality: Tensor


def radial_profile(photons: Tensor, mask: Tensor, beam_centre: Tensor, rings: int) -> tuple[Tensor, Tensor]:
    """Radial profile: mean of the measured pixels in rings of one pixel width around the beam.

    Args:
        photons: (B, H, W) counts.
        mask: (H, W) or (B, H, W) bool, True = measured.
        beam_centre: (2,) or (B, 2) row, column, pixel.
        rings: Number of rings R; ring r holds radii from r - 1/2 to r + 1/2, pixels beyond the last are left out.

    Returns:
        Photons per pixel (B, R), 0 where a ring has no pixel, and the number of pixels (B, R).
    """
    patterns, height, width = photons.shape
    centre = beam_centre.to(photons).expand(patterns, 2)
    y = torch.arange(height, device=photons.device) - centre[:, :1]
    x = torch.arange(width, device=photons.device) - centre[:, 1:]
    radius = torch.hypot(y[:, :, None], x[:, None, :])
    ring = radius.round().long().clamp_max(rings).flatten(1)
    weight = mask.to(photons.dtype).expand(photons.shape).flatten(1)
    empty = photons.new_zeros(patterns, rings + 1)
    pixels = empty.scatter_add(1, ring, weight)[:, :rings]
    total = empty.scatter_add(1, ring, weight * photons.flatten(1))[:, :rings]
    return total / pixels.clamp_min(1), pixels


def sphere_amplitude(q: Tensor, diameter: Tensor) -> Tensor:
    """Normalised transform of a uniform sphere, 1 at q = 0: 3 (sin x - x cos x) / x^3, x = pi q d.

    Args:
        q: (...) scattering vector 2 sin(theta) / wavelength, 1/m.
        diameter: (...) diameters, m, broadcast against q.

    Source: Rayleigh (1914), Proc. R. Soc. A 90, 219.
    """
    x = pi * q * diameter
    wide = torch.where(x.abs() < 0.05, torch.ones_like(x), x)
    return torch.where(x.abs() < 0.05, 1 - x**2 / 10, 3 * (wide.sin() - wide * wide.cos()) / wide**3)


def fit_sphere(
    photons: Tensor,
    mask: Tensor,
    beam_centre: Tensor,
    distance: float,
    pixel_size: float,
    wavelength: float,
    diameters: Tensor | None = None,
    background: Tensor | float = 0.0,
) -> SphereFit:
    """Fit the form factor of a sphere to the radial profile of each pattern.

    The square roots of profile and form factor are compared, weighted by the pixels of each ring: Poisson noise is then
    uniform, and the bright centre does not outweigh the fringes. The scale has a closed form, so that
    all sizes cost one matrix product; a parabola through the best size and its neighbours refines it.

    Args:
        photons: (B, H, W) counts.
        mask: (H, W) or (B, H, W) bool, True = measured.
        beam_centre: (2,) or (B, 2) row, column, pixel; one for all is more exact where speckles are few pixels wide.
        distance, pixel_size, wavelength: Particle to detector, pixel edge, photon wavelength; m.
        diameters: (D,) sizes to try, m, equal steps in their logarithm. Default: 256 sizes, from the one whose first
            minimum lies at the detector's edge to the one whose fringes are three pixels wide.
        background: Flat background, (B,) or one for all, photons per pixel, subtracted from the profiles.
    """
    profile, pixels = _above(photons, mask, beam_centre, background)
    rings = profile.shape[1]
    theta = torch.atan(torch.arange(rings, device=photons.device).double() * pixel_size / distance)
    q = 2 * torch.sin(theta / 2) / wavelength
    if diameters is None:
        diameters = _sizes(float(q[-1]), pixel_size / (distance * wavelength)).to(photons.device)
    if beam_centre.ndim == 1:
        sphere = _ring_amplitude(mask, beam_centre, q, diameters.double())
    else:
        sphere = sphere_amplitude(q, diameters.double()[:, None]).abs()
    explained, scale = _explained(profile, pixels, sphere)
    best = explained.argmax(dim=1, keepdim=True)
    logarithm = _vertex(explained, diameters.double().log(), best)
    amplitude = scale.gather(1, best).squeeze(1)
    quality = explained.gather(1, best).squeeze(1).nan_to_num(0)  # NaN in frames without photons
    return SphereFit(logarithm.exp().to(photons.dtype), amplitude.to(photons.dtype), quality.to(photons.dtype))


def decay_quality(photons: Tensor, mask: Tensor, beam_centre: Tensor, background: Tensor | float = 0.0) -> Tensor:
    """Share of the squared amplitudes that an exponential decay around the beam explains, (B,), as of `fit_sphere`.

    A halo without a particle is explained better by a decay than by any sphere.

    Args:
        photons: (B, H, W) counts.
        mask: (H, W) or (B, H, W) bool, True = measured.
        beam_centre: (2,) or (B, 2) row, column, pixel.
        background: Flat background, (B,) or one for all, photons per pixel.
    """
    profile, pixels = _above(photons, mask, beam_centre, background)
    radius = torch.arange(profile.shape[1], device=photons.device).double()
    lengths = torch.logspace(0, torch.tensor(float(len(radius))).log10(), _DECAYS, device=photons.device).double()
    explained, _ = _explained(profile, pixels, torch.exp(-radius / (2 * lengths[:, None])))
    return explained.amax(1).nan_to_num(0).to(photons.dtype)


def _above(photons: Tensor, mask: Tensor, beam_centre: Tensor, background: Tensor | float) -> tuple[Tensor, Tensor]:
    """Radial profiles above a flat background, and pixels of each ring, (B, R) float64 each."""
    profile, pixels = radial_profile(photons, mask, beam_centre, min(photons.shape[-2:]) // 2)
    level = torch.as_tensor(background, device=photons.device).double().reshape(-1, 1)
    return (profile.double() - level).clamp_min(0), pixels.double()


def _explained(profile: Tensor, pixels: Tensor, forms: Tensor) -> tuple[Tensor, Tensor]:
    """Share of the squared amplitudes (B, R) that each form (D, R) explains, and its best scale, (B, D) each."""
    overlap = (pixels * profile.sqrt()) @ forms.T
    power = (pixels @ (forms**2).T).clamp_min(torch.finfo(torch.float64).tiny)
    return overlap**2 / power / (pixels * profile).sum(1, keepdim=True), overlap / power


def _ring_amplitude(mask: Tensor, beam_centre: Tensor, q: Tensor, diameters: Tensor) -> Tensor:
    """Root mean square of the amplitude of spheres over the measured pixels of each ring, (D, R).

    Args:
        mask: (H, W) or (B, H, W) bool, True = measured.
        beam_centre: (2,) row, column, pixel.
        q: (R,) scattering vectors of the rings 0, 1, ..., 1/m.
        diameters: (D,) diameters, m.
    """
    rings = len(q)
    weight = mask.reshape(-1, *mask.shape[-2:]).double().mean(0)
    y, x = (torch.arange(n, device=q.device) - float(at) for n, at in zip(weight.shape, beam_centre, strict=True))
    part = ((torch.hypot(y[:, None], x[None, :]) + 0.5) * _PARTS).long().clamp_max(rings * _PARTS)
    pixels = q.new_zeros(rings * _PARTS + 1).scatter_add(0, part.flatten(), weight.flatten())[:-1]
    radius = (torch.arange(rings * _PARTS, device=q.device).double() + 0.5) / _PARTS - 0.5
    power = sphere_amplitude(radius.abs() * (q[-1] / (rings - 1)), diameters[:, None]) ** 2
    mean = (power * pixels).reshape(-1, rings, _PARTS).sum(-1) / pixels.reshape(rings, _PARTS).sum(-1).clamp_min(1e-9)
    return mean.sqrt()


def _sizes(q_edge: float, q_pixel: float) -> Tensor:
    """Diameters that this detector resolves, (D,) m, in equal logarithmic steps."""
    smallest, largest = _FIRST_MINIMUM / q_edge, 1 / (_PIXELS_PER_FRINGE * q_pixel)
    return torch.logspace(torch.tensor(smallest).log10(), torch.tensor(largest).log10(), _SIZES, dtype=torch.float64)


def _vertex(values: Tensor, positions: Tensor, best: Tensor) -> Tensor:
    """Position (B,) of the vertex of the parabola through the best of (B, D) values and its neighbours."""
    last = len(positions) - 1
    below, here, above = (values.gather(1, (best + step).clamp(0, last)).squeeze(1) for step in (-1, 0, 1))
    offset = (below - above) / (2 * (below - 2 * here + above))
    inside = (best.squeeze(1) > 0) & (best.squeeze(1) < last) & offset.isfinite()
    step = positions[1] - positions[0]
    return positions[best.squeeze(1)] + torch.where(inside, offset.clamp(-0.5, 0.5), torch.zeros_like(offset)) * step
