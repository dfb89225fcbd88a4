"""Chi square: the relative squared error of Fourier amplitudes (loss L4 of Wu et al., 2021)."""

import torch
from torch import Tensor


def _sum(values: Tensor) -> Tensor:
    return values.flatten(1).sum(1)


def amplitude_scale(predicted: Tensor, measured: Tensor, mask: Tensor) -> Tensor:
    """The factor c that brings ``c * predicted`` closest to ``measured``, in closed form: (B, ...) -> (B,).

    Minimises sum(mask (c p - m)^2), so c = sum(mask p m) / sum(mask p^2); 0 where nothing is predicted.
    """
    predicted = mask * predicted
    power = _sum(predicted.square())
    return _sum(predicted * measured) / power.clamp_min(torch.finfo(power.dtype).tiny)


def rescaled(predicted: Tensor, measured: Tensor, mask: Tensor) -> Tensor:
    """``predicted`` times its amplitude_scale, (B, ...)."""
    scale = amplitude_scale(predicted, measured, mask)
    return predicted * scale.view(-1, *[1] * (predicted.ndim - 1))


def chi_square(predicted: Tensor, measured: Tensor, mask: Tensor, scaled: bool = True) -> Tensor:
    """Relative squared error of Fourier amplitudes, sum(mask (p - m)^2) / sum(mask m^2): (B, ...) -> (B,).

    Args:
        predicted, measured: Fourier amplitudes, sqrt(photons) or any unit common to all voxels of a pattern.
        mask: True where the detector measured.
        scaled: Fit the scale of ``predicted`` in closed form first; the value then does not depend on it. False is the
            printed formula.

    Returns:
        0 for a perfect fit; 1 for an empty answer. NaN where no measured voxel has any intensity.

    Source: Wu et al. (2021), Eq. 7, term L4. Departure: the closed-form scale.
    """
    if scaled:
        predicted = rescaled(predicted, measured, mask)
    return _sum(mask * (predicted - measured).square()) / _sum(mask * measured.square())


def log_chi_square(predicted: Tensor, measured: Tensor, mask: Tensor, floor: float = 1e-12) -> Tensor:
    """log10 of chi_square with the scale fitted: (B, ...) -> (B,); gradients stay as large as the error gets small.

    Args:
        predicted, measured, mask: See chi_square.
        floor: Added to chi square, so that a perfect fit is log10(floor) and not minus infinity.
    """
    return (chi_square(predicted, measured, mask) + floor).log10()
