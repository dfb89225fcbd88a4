"""Overlap and correlation of predicted with true supports and densities, up to translation and twin; asymmetry."""

from dataclasses import dataclass, fields

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

    0 for a centrosymmetric density, which phasing cannot distinguish from its twin. The centre is free, so that a
    symmetric density off the centre has no asymmetry.
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


@dataclass
class Overlap:
    """Overlap of each support at the shift and twin where it is largest; all (...) float32.

    The last four reveal a support that misses nothing because it is the union of object and twin.

    Attributes:
        false_negatives, false_positives: Numbers of pixels, predicted against true.
        area_ratio: Predicted over true area.
        iou: Intersection over union of the areas.
        centrosymmetry, true_centrosymmetry: Share of the pixels that stay inside the support on inversion.
    """

    false_negatives: Tensor
    false_positives: Tensor
    area_ratio: Tensor
    iou: Tensor
    centrosymmetry: Tensor
    true_centrosymmetry: Tensor

    def as_dict(self) -> dict[str, Tensor]:
        """Values by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def support_overlap(predicted: Tensor, truth: Tensor) -> Overlap:
    """Compare supports at the integer shift, and in the twin, that make their overlap largest.

    Args:
        predicted, truth: (..., H, W) bool supports.

    Source: Bellisario & Ekeberg (2024), Sect. 4: "overlapped the retrieved supports to match the ideal masks".
    """
    missed, loose, area, true_area = errors(predicted, truth)
    overlap = true_area - missed
    union = true_area + loose
    return Overlap(
        missed,
        loose,
        area / true_area.clamp(min=1),
        overlap / union.clamp(min=1),
        centrosymmetry(predicted),
        centrosymmetry(truth),
    )


def errors(predicted: Tensor, truth: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """False negatives, false positives, predicted and true area of aligned supports, (..., H, W) bool -> 4 x (...)."""
    predicted, truth = predicted.float(), truth.float()
    overlap = torch.maximum(*correlations(truth, predicted)).round()
    area, true_area = predicted.sum(dim=AXES), truth.sum(dim=AXES)
    return true_area - overlap, area - overlap, area, true_area


def aligned(predicted: Tensor, truth: Tensor) -> Tensor:
    """Supports or densities at the shift, and in the twin, of largest overlap with the truth.

    Args:
        predicted, truth: (B, H, W) supports or densities.

    Returns:
        (B, H, W), of the dtype of ``predicted``.
    """
    height, width = predicted.shape[-2:]
    twin = predicted.flip(AXES).roll((1, 1), AXES)  # exactly rho(-r) about index 0, the origin of the transforms below
    spectrum = torch.fft.rfft2(truth.float())
    both = torch.stack([predicted, twin], dim=1)
    overlap = torch.fft.irfft2(spectrum[:, None] * torch.fft.rfft2(both.float()).conj(), s=(height, width))
    best = overlap.flatten(1).argmax(dim=1)
    choice, shift = best // (height * width), best % (height * width)
    rows, columns = shift // width, shift % width
    y = (torch.arange(height, device=best.device) - rows[:, None]) % height
    x = (torch.arange(width, device=best.device) - columns[:, None]) % width
    pattern = torch.arange(len(best), device=best.device)
    return both[pattern[:, None, None], choice[:, None, None], y[:, :, None], x[:, None, :]]


def dilated(support: Tensor, pixels: int) -> Tensor:
    """Grow supports by whole steps of 3 x 3 neighbourhoods, (..., H, W) bool."""
    if pixels == 0:
        return support
    edge = 2 * pixels + 1
    flat = support.float().reshape(-1, 1, *support.shape[-2:])
    grown = torch.nn.functional.max_pool2d(flat, edge, stride=1, padding=pixels)
    return grown.reshape(support.shape) > 0.5


LEVELS = torch.linspace(-8.0, 4.0, 37).sigmoid()  # of a score in [0, 1]; closest where supports grow fast


@torch.no_grad()
def trade_off(score: Tensor, truth: Tensor, levels: Tensor = LEVELS, dilation: int = 0) -> tuple[Tensor, Tensor]:
    """False negatives and false positives of a score at many thresholds.

    Args:
        score: (B, H, W) in [0, 1]: probability, or density relative to its maximum.
        truth: (B, H, W) bool, true supports.
        levels: (L,) thresholds of the score.
        dilation: Pixels by which each support is dilated.

    Returns:
        Two (B, L) tensors, numbers of pixels.
    """
    missed, loose = [], []
    for level in levels.to(score.device):
        fewer, more, _, _ = errors(dilated(score > level, dilation), truth)
        missed.append(fewer)
        loose.append(more)
    return torch.stack(missed, dim=1), torch.stack(loose, dim=1)


def choose_level(
    missed: Tensor, loose: Tensor, levels: Tensor = LEVELS, coverage: float = 0.97, allowed: float = 2.0
) -> float:
    """Threshold with the fewest false positives at which enough supports are covered.

    Args:
        missed, loose: (B, L) false negatives and false positives from trade_off, pixel.
        levels: (L,) thresholds of the score.
        coverage: Least share of supports with fewer than ``allowed`` false negatives.
        allowed: Number of false negatives from which a support is not covered, pixel.

    Returns:
        The threshold; where none covers so many, the one that covers most, with the fewest false positives among
        equals.
    """
    covered = (missed < allowed).double().mean(dim=0)
    eligible = covered >= min(coverage, float(covered.max()))
    cost = torch.where(eligible, loose.double().mean(dim=0), torch.inf)
    return float(levels[int(cost.argmin())])
