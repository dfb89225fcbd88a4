"""Instrument model: background, halo, blur, gain variation and stray-light streaks."""

import torch
from torch import Tensor


def radius_in_pixels(shape: tuple[int, int], beam_centre: Tensor) -> Tensor:
    """Distance of every pixel from the beam centre, (B, 2) -> (B, H, W); pixel."""
    y = torch.arange(shape[0], dtype=beam_centre.dtype, device=beam_centre.device) - beam_centre[:, :1]
    x = torch.arange(shape[1], dtype=beam_centre.dtype, device=beam_centre.device) - beam_centre[:, 1:]
    return (y.square()[:, :, None] + x.square()[:, None, :]).sqrt_()


def background(radius: Tensor, flat: Tensor, halo: Tensor, halo_radius: Tensor) -> Tensor:
    """Flat background plus an exponential halo around the beam.

    Args:
        radius: (B, H, W) distance from the beam centre; pixel.
        flat: (B,) photons per pixel everywhere.
        halo: (B,) photons of the halo integrated over an unlimited detector.
        halo_radius: (B,) decay length; pixel.

    Returns:
        (B, H, W) expected photons per pixel.
    """
    length = halo_radius[:, None, None]
    peak = halo[:, None, None] / (2 * torch.pi * length**2)
    return (radius / -length).exp_().mul_(peak).add_(flat[:, None, None])


def blur_matrix(length: int, sigma: Tensor) -> Tensor:
    """Rows of a one-dimensional Gaussian blur, (B,) pixel -> (B, length, length); each row sums to 1."""
    difference = torch.arange(1 - length, length, dtype=sigma.dtype, device=sigma.device)
    profile = torch.exp(-0.5 * (difference / sigma.clamp_min(1e-3)[:, None]) ** 2)
    kernel = profile.unfold(1, length, 1).flip(1)  # row i is the profile with its middle at i
    return kernel / kernel.sum(dim=2, keepdim=True)


def blur(intensity: Tensor, sigma: Tensor) -> Tensor:
    """Gaussian blur of patterns by partial coherence or charge sharing, (B, H, W) with sigma (B,) pixel."""
    height, width = intensity.shape[1:]
    rows = blur_matrix(height, sigma)
    columns = rows if width == height else blur_matrix(width, sigma)
    return rows @ intensity @ columns.transpose(1, 2)


def gain_tilt(shape: tuple[int, int], slope: Tensor) -> Tensor:
    """Gain that varies linearly over the detector: 1 + slope . (y, x), with y and x in [-1, 1]; (B, 2) -> (B, H, W)."""
    y = torch.linspace(-1, 1, shape[0], dtype=slope.dtype, device=slope.device)
    x = torch.linspace(-1, 1, shape[1], dtype=slope.dtype, device=slope.device)
    return (1 + slope[:, 0, None, None] * y[:, None] + slope[:, 1, None, None] * x).clamp_min(0.05)


def streaks(shape: tuple[int, int], beam_centre: Tensor, angle: Tensor, photons: Tensor, width: Tensor) -> Tensor:
    """Straight streaks of stray light through the beam centre.

    Args:
        shape: Detector height and width, pixel.
        beam_centre: (B, 2) row, column; pixel.
        angle: (B,) direction of the streak against the rows; rad.
        photons: (B,) photons in the streak over an unlimited detector.
        width: (B,) Gaussian width across; pixel. Along the streak the light falls as exp(-|s| / 16 pixel).

    Returns:
        (B, H, W) expected photons per pixel.
    """
    y = (torch.arange(shape[0], device=angle.device) - beam_centre[:, :1])[:, :, None]
    x = (torch.arange(shape[1], device=angle.device) - beam_centre[:, 1:])[:, None, :]
    cosine, sine, sigma = angle.cos()[:, None, None], angle.sin()[:, None, None], width[:, None, None]
    along, across = x * cosine + y * sine, y * cosine - x * sine
    profile = along.abs_().div_(-16).addcmul_((across / sigma).square_(), along.new_tensor(-0.5)).exp_()
    area: Tensor = 32 * (2 * torch.pi) ** 0.5 * sigma
    return profile.mul_(photons[:, None, None] / area)
