"""Detector pixels on the Ewald sphere, and the flat limit of it."""

import torch
from torch import Tensor


def _pixel_offsets(length: int, centre: Tensor, pixel_size: Tensor) -> Tensor:
    index = torch.arange(length, dtype=pixel_size.dtype, device=pixel_size.device)
    return (index - centre[:, None]) * pixel_size[:, None]


def scattering_vectors(
    shape: tuple[int, int], pixel_size: Tensor, distance: Tensor, wavelength: Tensor, beam_centre: Tensor
) -> Tensor:
    """Place every pixel of a flat detector on the Ewald sphere: q = (n - z) / wavelength, one geometry per pattern.

    Args:
        shape: Detector height and width, pixel.
        pixel_size, distance, wavelength: (B,) pixel edge, particle to detector, photon wavelength; m.
        beam_centre: (B, 2) row and column (fractional pixel) where the direct beam meets the detector.

    Returns:
        (B, H, W, 3) scattering vectors ordered z, y, x; 1/m. n points from particle to pixel, z along the beam.

    Source: Han & Li (2017), Eq. 1, with k_s - k_i = 2 pi q.
    """
    y = _pixel_offsets(shape[0], beam_centre[:, 0], pixel_size)[:, :, None]
    x = _pixel_offsets(shape[1], beam_centre[:, 1], pixel_size)[:, None, :]
    z = distance[:, None, None]
    length = (x**2 + y**2 + z**2).sqrt()
    direction = torch.stack([z / length - 1, y / length, x / length], dim=-1)
    return direction / wavelength[:, None, None, None]


def small_angle_frequencies(
    shape: tuple[int, int], pixel_size: Tensor, distance: Tensor, wavelength: Tensor, beam_centre: Tensor
) -> tuple[Tensor, Tensor]:
    """Transverse frequencies of the detector rows and columns in the small-angle limit, where they separate.

    Arguments as in :func:`scattering_vectors`.

    Returns:
        q_y (B, H) and q_x (B, W); 1/m. Their relative error is half the squared scattering angle.
    """
    scale = pixel_size / (distance * wavelength)
    return _pixel_offsets(shape[0], beam_centre[:, 0], scale), _pixel_offsets(shape[1], beam_centre[:, 1], scale)


def ewald_depth(q_y: Tensor, q_x: Tensor, wavelength: Tensor) -> Tensor:
    """Depth of the Ewald sphere below its tangent plane, q_z = sqrt(1/wavelength^2 - q_y^2 - q_x^2) - 1/wavelength.

    Args:
        q_y, q_x: (B, H) and (B, W) transverse frequencies; 1/m.
        wavelength: (B,) photon wavelengths; m.

    Returns:
        (B, H, W) q_z <= 0; 1/m.
    """
    transverse = q_y[:, :, None] ** 2 + q_x[:, None, :] ** 2
    inverse = 1 / wavelength[:, None, None]
    return -transverse / (inverse + (inverse**2 - transverse).clamp_min(0).sqrt())
