"""Conversion of detector units (ADU) to photons: gain from the single-photon peak, Fano factor."""

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from spi_lightning.errors import UserError

_LEAST_PIXELS = 1000
_BINS_PER_NOISE = 10
_RANGE = 60  # noise widths above the zero peak in which the single-photon peak is searched
_ITERATIONS = 20
_SURE = 5.0
_LEAST_LEVELS = 3  # different values above 0
_LARGEST_STEP = 2**20


@dataclass(frozen=True)
class Gain:
    """Gain, pedestal and noise of a detector, from its histogram.

    Attributes:
        adu_per_photon: Distance of the zero and the single-photon peak, ADU.
        pedestal: Position of the peak of no photon, ADU.
        noise: Half width of the lower side of that peak that holds 68 % of it, ADU.
        significance: Height of the single-photon peak over the valley before it, in standard deviations.
    """

    adu_per_photon: float
    pedestal: float
    noise: float
    significance: float


def adu_to_photons(adu: Tensor, adu_per_photon: float | Tensor, threshold: float = 0.5) -> Tensor:
    """Convert detector units to whole photons.

    Args:
        adu: (...) pedestal-corrected values, ADU, finite.
        adu_per_photon: Gain, ADU per photon, > 0; broadcasts against adu.
        threshold: Fraction of a photon from which a value counts as one more photon; 0.5 rounds.

    Returns:
        (...) photons, whole numbers >= 0, dtype of adu: floor(adu / gain + 1 - threshold), negative noise becomes 0.
    """
    return (adu / adu_per_photon + (1 - threshold)).floor().clamp_min(0)


def estimate_gain(adu: Tensor, mask: Tensor) -> Gain:
    """Estimate the gain from the single-photon peak of the histogram.

    The lower side of the peak of no photon, which no photon reaches, is mirrored and taken off; the most significant
    maximum behind a valley of what remains is the single-photon peak. Either peak is centred by the mean of the values
    within one noise width of it, iterated; charge shared between pixels, which fills the valley, moves them little.

    Args:
        adu: (B, H, W) values, ADU, most of them from pixels with no or few photons; NaN and infinities are left out.
        mask: (H, W) or (B, H, W) bool, True = measured.

    Raises:
        UserError: No single-photon peak stands out, for example because noise exceeds a third of a photon, or the peak
            of no photon has no lower side, as in counts.
    """
    values = adu[mask.expand(adu.shape) & adu.isfinite()].double()
    if values.numel() < _LEAST_PIXELS:
        raise UserError(f"the gain cannot be estimated from {values.numel()} pixels; more frames are needed")
    mode, noise = _zero_peak(values)
    bins = _RANGE * _BINS_PER_NOISE
    bin_index = ((values - mode) / noise * _BINS_PER_NOISE).floor().long() + bins
    counts = torch.bincount(bin_index[(bin_index >= 0) & (bin_index < 2 * bins)], minlength=2 * bins).double()
    lit, dark = counts[bins:], counts[:bins].flip(0)
    photons = (lit - dark).clamp_min(0)
    peak, significance = _single_photon_peak(photons, lit + dark)
    if significance < _SURE:
        what = "the histogram shows no single-photon peak, so the gain cannot be estimated"
        raise UserError(f"{what}; state it with data.adu_per_photon=")
    for _ in range(_ITERATIONS):
        peak = _centred(photons, peak)
    return Gain(peak * noise / _BINS_PER_NOISE, mode, noise, significance)


def shown_gain(values: Tensor, mask: Tensor) -> float | None:
    """Units of one photon that values show; None where they do not.

    Whole numbers from 0 on are photon counts times the largest number that divides them all, unless their histogram
    rises again, as behind the noise of a detector. Other values show the distance of their first peaks.

    Args:
        values: (B, H, W) values as stored.
        mask: (H, W) or (B, H, W) bool, True = measured.
    """
    measured = values[mask.expand(values.shape) & values.isfinite()].double()
    if len(measured) < _LEAST_PIXELS:
        return None
    if not ((measured >= 0) & (measured == measured.round())).all():
        try:
            return estimate_gain(values, mask).adu_per_photon
        except UserError:
            return None
    lit = measured[(measured > 0) & (measured < _LARGEST_STEP)].long()
    levels, number = map(torch.from_numpy, np.unique(lit.cpu().numpy(), return_counts=True))
    if len(levels) < _LEAST_LEVELS or len(lit) < _LEAST_PIXELS / 10:
        return None
    step = math.gcd(*levels.tolist())
    counts = torch.zeros(int(levels.max()) // step + 1).double()
    counts[levels // step] = number.double()
    lowest = counts[1:].cummin(0).values
    rises = (counts[1:] - lowest) > _SURE * (counts[1:] + lowest).clamp_min(1).sqrt()
    return None if rises.any() else float(step)


def _zero_peak(values: Tensor) -> tuple[float, float]:
    """Centre of the peak of no photon and the width of its lower side, where no photon adds to it."""
    centre = values.median()
    for _ in range(_ITERATIONS):
        below = centre - values[values < centre]
        if len(below) == 0:
            raise UserError(
                "no value lies below the most common one, so there is no detector noise from which a gain could be "
                "estimated; these may be photon counts"
            )
        noise = below.kthvalue(max(1, int(0.6827 * len(below)))).values
        centre = values[(values - centre).abs() <= noise].mean()
    return float(centre), float(noise)


def _single_photon_peak(photons: Tensor, counts: Tensor) -> tuple[float, float]:
    """Position of the most significant maximum behind a valley, bins above the mode, and its significance."""
    window = _BINS_PER_NOISE // 2 * 2 + 1
    smooth, error = (F.avg_pool1d(part[None, None], window, 1)[0, 0] * window for part in (photons, counts))
    valley = smooth[_BINS_PER_NOISE:].cummin(0).values  # from one and a half noise widths on
    significance = (smooth[_BINS_PER_NOISE:] - valley) / error[_BINS_PER_NOISE:].clamp_min(1).sqrt()
    best = int(significance.argmax())
    return best + _BINS_PER_NOISE + window / 2, float(significance[best])


def _centred(counts: Tensor, position: float) -> float:
    """Mean position, in bins, of the counts (bins,) within one noise width of a position."""
    bins = torch.arange(len(counts), device=counts.device) + 0.5
    weight = counts * ((bins - position).abs() <= _BINS_PER_NOISE)
    return float((weight * bins).sum() / weight.sum())


def fano_factor(photons: Tensor, mask: Tensor, least: float = 1.0, most: float = 16.0) -> float:
    """Variance over mean of counts, from second differences of three neighbours in a row: 1 for Poisson counts.

    Smooth intensity drops out of (a - 2 b + c)^2 / 6. A value f < 1 means that a unit of the file is about 1 / f
    detected photons, f > 1 that a photon is about f units, or that noise is added; blur between pixels lowers it too.

    Args:
        photons: (B, H, W) counts.
        mask: (H, W) or (B, H, W) bool, True = measured.
        least: Smallest local mean, over 7 x 7 measured pixels, that is used; photons.
        most: Largest local mean that is used; photons.

    Returns:
        Variance over mean; NaN if no pixel lies in the range.
    """
    keep = mask.to(photons.dtype).expand(photons.shape)
    local = F.avg_pool2d((photons * keep)[:, None], 7, 1, 3) / F.avg_pool2d(keep[:, None], 7, 1, 3).clamp_min(1e-6)
    level = local[:, 0, :, 1:-1]
    left, middle, right = photons[:, :, :-2], photons[:, :, 1:-1], photons[:, :, 2:]
    measured = (keep[:, :, :-2] * keep[:, :, 1:-1] * keep[:, :, 2:]) > 0
    used = measured & (level >= least) & (level < most)
    variance = ((left - 2 * middle + right) ** 2 / 6)[used].double().sum()
    return float(variance / ((left + middle + right) / 3)[used].double().sum())
