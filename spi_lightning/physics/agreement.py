"""Agreement of Fourier amplitudes with measured ones: chi square, Pearson's r_p, Fourier error, R factor.

Predicted and measured amplitudes are those of the orthonormal transform (square roots of intensities), or in any unit
common to all pixels of a pattern. Masks are True where a pixel counts.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from spi_lightning.errors import UserError

from .array import pad
from .fourier import fourier
from .partial_coherence import blurred_amplitude

Kind = Literal["pearson", "modified"]
KINDS: tuple[Kind, ...] = ("pearson", "modified")


def predicted_amplitude(
    density: Tensor, point_spread: Tensor | None = None, shape: Sequence[int] | None = None
) -> Tensor:
    """Fourier amplitudes of densities, (B, spatial) -> (B, shape), orthonormal transform, origin at n // 2.

    Args:
        density: (B, spatial) real or complex densities at any position.
        point_spread: (B, axes) or (1, axes), root mean square widths in pixels: the amplitudes are the square root of
            the blurred intensity, which is taken in float64, see physics.partial_coherence. None: a coherent pattern.
        shape: Edges of the pattern, pixel, not below those of the densities; None: the same.
    """
    whole = density if shape is None else pad(density, shape)
    amplitude = fourier(whole, density.ndim - 1).abs()
    return amplitude if point_spread is None else blurred_amplitude(amplitude.double(), point_spread).to(amplitude)


def amplitude_scale(predicted: Tensor, measured: Tensor, mask: Tensor) -> Tensor:
    """Least-squares scale c of ``c * predicted`` to ``measured``, in closed form: (B, ...) -> (B,).

    Minimises sum(mask (c p - m)^2), so c = sum(mask p m) / sum(mask p^2); 0 where nothing is predicted.
    """
    predicted = mask * predicted
    power = _sum(predicted.square())
    return _sum(predicted * measured) / power.clamp_min(torch.finfo(power.dtype).tiny)


def rescaled(predicted: Tensor, measured: Tensor, mask: Tensor) -> Tensor:
    """Predicted amplitudes (B, ...) times their amplitude_scale."""
    scale = amplitude_scale(predicted, measured, mask)
    return predicted * scale.view(-1, *[1] * (predicted.ndim - 1))


def chi_square(predicted: Tensor, measured: Tensor, mask: Tensor, scaled: bool = True) -> Tensor:
    """Relative squared error of Fourier amplitudes, sum(mask (p - m)^2) / sum(mask m^2): (B, ...) -> (B,).

    Args:
        predicted, measured: Fourier amplitudes, (B, ...) or broadcast against it.
        mask: (B, ...) bool, True where the detector measured.
        scaled: Fit the scale of ``predicted`` in closed form first; the value then does not depend on it. False is the
            printed formula.

    Returns:
        (B,); 0 for a perfect fit, 1 where nothing is predicted, NaN where no measured voxel has any intensity.

    Source: Wu et al. (2021), Eq. 7, term L4. Departure: the closed-form scale.
    """
    if scaled:
        predicted = rescaled(predicted, measured, mask)
    return _sum(mask * (predicted - measured).square()) / _sum(mask * measured.square())


def held_out_chi_square(predicted: Tensor, measured: Tensor, fitted: Tensor, held_out: Tensor) -> Tensor:
    """Chi square over held-out voxels with the scale of the fitted ones: (B, ...) -> (B,), in float64.

    Args:
        predicted, measured: Fourier amplitudes (B, ...).
        fitted, held_out: Masks (B, ...) bool without a common voxel; the same mask twice gives the fitted error.
    """
    predicted, measured = predicted.double(), measured.double()
    return chi_square(rescaled(predicted, measured, fitted), measured, held_out, scaled=False)


def pearson(predicted: Tensor, measured: Tensor, mask: Tensor, kind: Kind = "pearson") -> Tensor:
    """Pearson correlation r_p over the measured voxels, (B, ...) -> (B,); 0 where either does not vary.

    Args:
        predicted, measured: Fourier amplitudes (B, ...) in any unit; the value depends neither on scale nor on offset.
        mask: (B, ...) bool, True where the detector measured.
        kind: ``pearson`` (signed), or ``modified``, sum |x - <x>| |y - <y>| / (deviations), as printed in the paper.

    Raises:
        UserError: The kind is unknown.

    Source: Wu et al. (2021), text after Eq. 6. With its absolute values inside the sum, exactly anticorrelated data
    have r_p = 1 and independent uniform noise 0.75, so ``pearson`` discriminates better.
    """
    if kind not in KINDS:
        raise UserError(f"loss.kind={kind!r} is unknown: choose one of {', '.join(KINDS)}")
    x, y, m = predicted.flatten(1), measured.flatten(1), mask.flatten(1)
    count = m.sum(1, keepdim=True).clamp_min(1)
    x = m * (x - (m * x).sum(1, keepdim=True) / count)
    y = m * (y - (m * y).sum(1, keepdim=True) / count)
    product = x * y if kind == "pearson" else (x * y).abs()
    spread = (x.square().sum(1) * y.square().sum(1)).clamp_min(torch.finfo(x.dtype).tiny)
    return product.sum(1) / spread.sqrt()


AMPLITUDE_ERRORS = ("chi_square", "correlation", "correlation_modified")


def amplitude_errors(predicted: Tensor, measured: Tensor, mask: Tensor) -> dict[str, Tensor]:
    """Chi square after the closed-form scale, and r_p of both kinds by name: (B, ...) -> (B,) each.

    Computed in float64: chi square below 1e-6 is lost in float32.
    """
    predicted, measured = predicted.double(), measured.double()
    values = (
        chi_square(predicted, measured, mask),
        pearson(predicted, measured, mask),
        pearson(predicted, measured, mask, "modified"),
    )
    return dict(zip(AMPLITUDE_ERRORS, values, strict=True))


def fourier_error(
    density: Tensor,
    fourier_amplitude: Tensor,
    mask: Tensor | None = None,
    relative: bool = True,
    point_spread: Tensor | None = None,
) -> Tensor:
    """Fourier error of each density: norm of the amplitude difference over measured pixels, the root of chi square.

    Args:
        density: (B, spatial) real or complex densities.
        fourier_amplitude: (B, spatial) or (1, spatial) measured amplitudes of the orthonormal transform.
        mask: Bool, broadcast against the amplitudes, True = measured; None: all pixels.
        relative: Divide by the norm of the measured amplitudes. Otherwise absolute, as in Bellisario & Ekeberg's code:
            || |F| - A || / sqrt(N) of N pixels with an unnormalised transform, whose amplitudes are sqrt(N) times
            ours: sqrt(N) times our root mean square, that is the bare norm.
        point_spread: (B, axes) blur widths in pixels, see predicted_amplitude; None: a coherent pattern.

    Returns:
        (B,) errors; values of unmeasured pixels do not count, even where they are not finite.
    """
    measured = torch.ones_like(fourier_amplitude, dtype=torch.bool) if mask is None else mask
    away = predicted_amplitude(density, point_spread) - fourier_amplitude
    wrong: Tensor = torch.where(measured, away, 0).flatten(1).norm(dim=1)
    if not relative:
        return wrong
    scale: Tensor = torch.where(measured, fourier_amplitude, 0).flatten(1).norm(dim=1)
    return wrong / scale.clamp_min(torch.finfo(scale.dtype).tiny)


def held_out_fourier_error(
    density: Tensor,
    fourier_amplitude: Tensor,
    held_out: Tensor,
    candidates: Tensor,
    point_spread: Tensor | None = None,
) -> Tensor:
    """Root mean square amplitude difference on held-out pixels over the root mean square amplitude of all candidates.

    Over the amplitude of the held-out pixels alone the error would depend on whether the draw hit one of the few bright
    pixels that hold most of the intensity.

    Args:
        density, fourier_amplitude, point_spread: As fourier_error takes them.
        held_out: (spatial) bool, True in the pixels that were held out.
        candidates: (spatial) bool, True in the pixels that the draw chose from, those held out among them.

    Returns:
        (B,) errors; NaN where no pixel is held out.
    """
    power = torch.where(candidates, fourier_amplitude, 0).flatten(1).square().sum(1) / candidates.sum()
    wrong = fourier_error(density, fourier_amplitude, held_out, relative=False, point_spread=point_spread)
    scale = power.sqrt().clamp_min(torch.finfo(power.dtype).tiny)
    error: Tensor = wrong / held_out.sum().sqrt() / scale
    return error


def r_factor(
    density: Tensor,
    fourier_amplitude: Tensor,
    pixels: Tensor,
    fitted: Tensor | None = None,
    point_spread: Tensor | None = None,
) -> Tensor:
    """R factor sum | |F| - A | / sum A over a set of pixels, after a closed-form scale of the amplitudes.

    Args:
        density: (B, spatial) real or complex densities.
        fourier_amplitude: (B, spatial) or (1, spatial) measured amplitudes.
        pixels: Bool, broadcast against the amplitudes, True where they are compared; held-out pixels give the free R
            factor.
        fitted: Bool, True in the pixels that define the scale; None: ``pixels``.
        point_spread: (B, axes) blur widths in pixels, see predicted_amplitude; None: a coherent pattern.

    Returns:
        (B,); 0 for a perfect density, NaN where no photon was measured in the pixels.

    Source: Brunger (1992), Nature 355, 472, for the free R factor.
    """
    amplitude = predicted_amplitude(density, point_spread)
    measured = fourier_amplitude.expand(amplitude.shape)
    kept = (pixels if fitted is None else fitted).expand(amplitude.shape)
    away = (rescaled(amplitude, measured, kept) - measured).abs()
    judged = pixels.expand(amplitude.shape)
    return _sum(torch.where(judged, away, 0)) / _sum(torch.where(judged, measured, 0))


def _sum(values: Tensor) -> Tensor:
    return values.flatten(1).sum(1)
