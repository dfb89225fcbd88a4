"""Fourier transform of the project: F(q) = sum rho(r) exp(-2 pi i q.r), orthonormal, origin at n // 2; phase noise."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def fourier(density: Tensor, ndim: int) -> Tensor:
    """Transform the last ``ndim`` axes, origin at n // 2 in both spaces.

    Args:
        density: (..., y, x) or (..., z, y, x), real or complex.
        ndim: Number of trailing axes to transform.

    Returns:
        Complex array of the same shape; orthonormal, so the sum of squares is conserved (Parseval).
    """
    if not density.numel():  # a process without a share of the last batch; the transform of nothing is an error to MKL
        return density + 0j
    axes = tuple(range(-ndim, 0))
    spectrum = torch.fft.fftn(torch.fft.ifftshift(density, dim=axes), dim=axes, norm="ortho")
    shifted: Tensor = torch.fft.fftshift(spectrum, dim=axes)
    return shifted


def radial_frequency(shape: Sequence[int]) -> Tensor:
    """|q| of the components of :func:`fourier`, cycles per pixel, (spatial) float64, origin at n // 2."""
    squared = torch.zeros((), dtype=torch.float64)
    for axis, n in enumerate(shape):
        frequency = (torch.arange(n, dtype=torch.float64) - n // 2) / n
        squared = squared + frequency.square().view(-1, *(1,) * (len(shape) - 1 - axis))
    return squared.sqrt()


def inverse_fourier(spectrum: Tensor, ndim: int) -> Tensor:
    """Inverse of :func:`fourier`: (..., spatial) -> (..., spatial) complex."""
    if not spectrum.numel():
        return spectrum + 0j
    axes = tuple(range(-ndim, 0))
    density = torch.fft.ifftn(torch.fft.ifftshift(spectrum, dim=axes), dim=axes, norm="ortho")
    shifted: Tensor = torch.fft.fftshift(density, dim=axes)
    return shifted


def fourier_unshifted(density: Tensor, ndim: int) -> Tensor:
    """Transform (..., spatial) with the origin at index 0 in both spaces, which saves four passes of shifts."""
    spectrum: Tensor = torch.fft.fftn(density, dim=tuple(range(-ndim, 0)), norm="ortho")
    return spectrum


def fourier_into(density: Tensor, ndim: int, out: Tensor) -> Tensor:
    """Transform into a preallocated array, origin at index 0: real densities into half spectra, last axis n // 2 + 1.

    Args:
        density: (..., spatial) real; or complex as (..., spatial, 2), real and imaginary part, for a full spectrum.
        ndim: Number of spatial axes.
        out: Complex spectrum, overwritten; the length of its last axis distinguishes the two cases.
    """
    axes = tuple(range(-ndim, 0))
    if density.ndim == out.ndim:
        torch.fft.rfftn(density, dim=axes, norm="ortho", out=out)
    else:
        torch.fft.fftn(torch.view_as_complex(density), dim=axes, norm="ortho", out=out)
    return out


def inverse_fourier_into(spectrum: Tensor, ndim: int, out: Tensor) -> Tensor:
    """Inverse of :func:`fourier_into`, into a density (..., spatial) of either form; the spectrum keeps its values."""
    axes = tuple(range(-ndim, 0))
    if out.ndim == spectrum.ndim:
        torch.fft.irfftn(spectrum, s=out.shape[-ndim:], dim=axes, norm="ortho", out=out)
    else:
        torch.fft.ifftn(spectrum, dim=axes, norm="ortho", out=torch.view_as_complex(out))
    return out


def zoom_fourier(
    density: Tensor, y: Tensor, x: Tensor, q_y: Tensor, q_x: Tensor, weights: tuple[Tensor, Tensor] | None = None
) -> Tensor:
    """Fourier sum of a real 2D density at any separable grid of frequencies, by two small matrix products.

    Args:
        density: (B, n, m) real samples.
        y, x: (B, n) and (B, m) positions of the samples; m. An offset of the origin is a shift of these.
        q_y, q_x: (B, H) and (B, W) frequencies; 1/m.
        weights: Optional (B, H) and (B, W) factors of the rows and columns of the result.

    Returns:
        (B, H, W) complex sum of density * exp(-2 pi i (q_y y + q_x x)); multiply by the sample area for an integral.
    """
    rows = -2 * math.pi * q_y[:, :, None] * y[:, None, :]
    columns = -2 * math.pi * x[:, :, None] * q_x[:, None, :]
    height, cosine, sine = q_y.shape[1], columns.cos(), columns.sin()
    along_y = torch.cat([rows.cos(), rows.sin()], dim=1) @ density
    if weights is not None:
        along_y *= weights[0].repeat(1, 2)[:, :, None]
        cosine, sine = cosine * weights[1][:, None], sine * weights[1][:, None]
    real_imaginary = torch.cat([along_y[:, :height], along_y[:, height:]], dim=2)
    real = real_imaginary @ torch.cat([cosine, -sine], dim=1)
    imaginary = real_imaginary @ torch.cat([sine, cosine], dim=1)
    return torch.complex(real, imaginary)


def with_phase_noise(density: Tensor, ndim: int, radian: float | Tensor, starts: int, seed: int) -> Tensor:
    """Copies of densities whose Fourier phases differ by Gaussian noise: an ensemble of starts around one guess.

    Args:
        density: (P, spatial) real or complex, origin at n // 2.
        ndim: Number of spatial axes.
        radian: Standard deviation of the phase noise, rad, one or (P, 1 or starts, 1, ...); of a real density phi(q)
            and phi(-q) move oppositely.
        starts: Number of copies per density.
        seed: Seed of the noise.

    Returns:
        (P, starts, spatial), of the density's dtype.
    """
    generator = torch.Generator().manual_seed(seed)
    shape = (len(density), starts, *density.shape[1:])
    if density.is_complex():
        noise = torch.randn(shape, generator=generator, dtype=density.abs().dtype)
    else:
        noise = odd_noise(shape, ndim, generator, density.dtype)
    return turned(density[:, None], ndim, radian * noise.to(density.device))


def odd_noise(
    shape: Sequence[int], ndim: int, generator: torch.Generator, dtype: torch.dtype = torch.float32
) -> Tensor:
    """Gaussian noise of standard deviation 1 with noise(-q) = -noise(q), origin at n // 2; 0 where q = -q."""
    axes = tuple(range(-ndim, 0))
    noise = torch.fft.ifftshift(torch.randn(tuple(shape), generator=generator, dtype=dtype), dim=axes)
    noise = (noise - torch.roll(noise.flip(axes), (1,) * ndim, axes)) / 2**0.5
    odd: Tensor = torch.fft.fftshift(noise, dim=axes)
    return odd


def turned(density: Tensor, ndim: int, phase: Tensor) -> Tensor:
    """Density (..., spatial) after multiplying its transform by exp(i phase), rad, q = 0 at n // 2; real stays real."""
    moved = inverse_fourier(fourier(density, ndim) * torch.polar(torch.ones_like(phase), phase), ndim)
    answer: Tensor = moved if density.is_complex() else moved.real.contiguous()
    return answer
