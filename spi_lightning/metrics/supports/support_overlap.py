"""Overlap of predicted with true supports, up to translation and twin."""

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from .asymmetry import AXES, centrosymmetry, correlations


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
