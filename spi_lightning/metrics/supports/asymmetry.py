"""Asymmetry of images, and correlations of densities with the truth and its twin."""

import torch
from torch import Tensor

AXES = (-2, -1)


def correlations(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Largest correlations over shifts s, of first(r) second(r - s) and of first(r) second(s - r), object and twin.

    Args:
        first, second: (..., H, W) real images; periodic.

    Returns:
        Two (...) tensors, at three real transforms for each pair of images.
    """
    a, b = torch.fft.rfft2(first), torch.fft.rfft2(second)
    size = first.shape[-2:]
    same, inverted = torch.fft.irfft2(a * b.conj(), s=size), torch.fft.irfft2(a * b, s=size)
    return same.amax(dim=AXES), inverted.amax(dim=AXES)


def centrosymmetry(image: Tensor) -> Tensor:
    """Centrosymmetry: largest overlap of an image with its inversion, over its power, (..., H, W) -> (...).

    1 for an image that equals its twin; for a support the share of pixels that stay inside on inversion; 0 for an empty
    image.
    """
    image = image.float()
    power = image.square().sum(dim=AXES)
    spectrum = torch.fft.rfft2(image)
    best = torch.fft.irfft2(spectrum.square(), s=image.shape[-2:]).amax(dim=AXES)
    return torch.where(power > 0, best / torch.where(power > 0, power, 1.0), 0.0).clamp(0, 1)


def free_asymmetry(density: Tensor) -> Tensor:
    """Asymmetry ||rho(r) - rho(s - r)|| / (2 ||rho||), least over the centre s / 2: (..., H, W) -> (...).

    0 for a centrosymmetric density, which no phasing can tell from its twin. The centre is free, so that a symmetric
    answer off the centre does not pass for an asymmetric one.
    """
    return ((1 - centrosymmetry(density)) / 2).clamp(min=0).sqrt()


def twin_agreement(density: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """Correlations with the truth, and with the twin of the truth, each over all shifts: (..., H, W) -> (...), (...).

    Both are 1 only for a centrosymmetric truth. A density that breaks the twin symmetry correlates more with one of the
    two; an undecided one correlates equally with both.
    """
    norm = (density.square().sum(dim=AXES) * truth.square().sum(dim=AXES)).sqrt()
    same, inverted = correlations(density.float(), truth.float())
    norm = torch.where(norm > 0, norm, torch.inf)
    return same / norm, inverted / norm


def phase_agreement(density: Tensor, truth: Tensor) -> Tensor:
    """Correlation with the truth of a density that is given the true Fourier amplitudes: (..., H, W) -> (...).

    The mean cosine of the error of its phases, weighted by the intensity, at the best shift and twin: the quality of a
    start of phasing, independent of its amplitudes. 1 for a blurred truth.
    """
    first, second = torch.fft.rfft2(truth.float()), torch.fft.rfft2(density.float())
    spectrum = first.abs() * second / second.abs().clamp(min=torch.finfo(torch.float32).tiny)
    size, power = truth.shape[-2:], truth.float().square().sum(dim=AXES)
    same = torch.fft.irfft2(first * spectrum.conj(), s=size).amax(dim=AXES)
    inverted = torch.fft.irfft2(first * spectrum, s=size).amax(dim=AXES)
    return torch.maximum(same, inverted) / torch.where(power > 0, power, torch.inf)
