"""Beam centre from the inversion symmetry of each pattern: I(c + r) = I(c - r) at small angles."""

import itertools
import math
from dataclasses import dataclass
from typing import Final

import torch
from scipy.fft import next_fast_len
from torch import Tensor

from spi_lightning.physics.array import bin_pixels

LEAST_OVERLAP: Final = 0.14  # of the largest number of pixel pairs; fewer pairs agree by chance
_LEAST_VARIANCE: Final = 1e-4  # of pairs of pixels, relative to the whole pattern; below, it is of rounding
_COARSE: Final = 256  # pixels along the shorter side in which a centre is searched everywhere
_LEAST_SHARE: Final = 0.5  # of the contrast that must lie in pairs about a centre found anywhere
_LEAST_LIT: Final = 32  # pixels with photons among them
_LEAST_PAIRS: Final = 100  # least number of pixels with a measured mate about a centre


@dataclass(frozen=True)
class BeamCentre:
    """Beam centres of B patterns.

    Attributes:
        centre: (B, 2) row and column, pixel.
        symmetry: (B,) correlation of the pattern with its inversion about the centre, up to 1; where it is near 0 the
            centre is not determined; NaN for a pattern without contrast, or with too few pairs of measured pixels
            around the guess, which then is the centre.
    """

    centre: Tensor
    symmetry: Tensor


def find_beam_centre(
    photons: Tensor, mask: Tensor, guess: Tensor | None = None, max_shift: float = 0.125
) -> BeamCentre:
    """Find the point about which each pattern is most nearly symmetric under inversion.

    For every s = 2c near the guess the masked Pearson correlation of f(x) with f(s - x), f = sqrt(photons), follows
    from four self-convolutions, done by FFT for all patterns at once; pairs of a pixel with itself are left out, as
    they would favour centres on pixels. A parabola through the largest value and its neighbours gives the fraction.

    Args:
        photons: (B, H, W) counts.
        mask: (H, W) or (B, H, W) bool, True = measured.
        guess: (2,) or (B, 2) row, column to search around, pixel; default the middle of the detector.
        max_shift: Largest distance from the guess along each axis, as a fraction of the shorter side.

    Source: Friedel's law, for a flat Ewald sphere; Padfield (2012), IEEE Trans. Image Process. 21, 2706, for masks.
    """
    height, width = photons.shape[-2:]
    keep = mask.to(torch.float32).reshape(-1, height, width)
    f = photons.clamp_min(0).sqrt() * keep
    f -= f.sum((-2, -1), keepdim=True) / keep.sum((-2, -1), keepdim=True).clamp_min(1)
    f *= keep
    if guess is None:
        guess = torch.tensor([(height - 1) / 2, (width - 1) / 2])
    sums = 2 * guess.to(photons.device, torch.float32).expand(len(photons), 2)
    reach = 2 * max_shift * min(height, width)
    rows, columns = (_window(2 * n - 1, sums[:, axis], reach) for axis, n in enumerate((height, width)))
    correlation = _inversion_correlation(f, keep, rows, columns)
    near = [_near(span, sums[:, axis], reach) for axis, span in enumerate((rows, columns))]
    correlation = correlation.masked_fill(~(near[0][:, :, None] & near[1][:, None]), -torch.inf)
    best, index = correlation.flatten(1).max(dim=1)
    row, column = index // len(columns), index % len(columns)
    refined = [_parabola(correlation, row, column, axis) for axis in (0, 1)]
    centre = torch.stack([rows[0] + row + refined[0], columns[0] + column + refined[1]], dim=1) / 2
    known = best.isfinite()
    return BeamCentre(torch.where(known[:, None], centre, sums / 2), torch.where(known, best, torch.nan))


def find_centre_anywhere(photons: Tensor, mask: Tensor) -> BeamCentre:
    """Find the point about which most of a pattern is symmetric, wherever a seventh of the pixel pairs is left.

    Args:
        photons, mask: (1, H, W) counts, and bool, True = measured.

    Returns:
        Centre and symmetry; NaN for both where less than half of the contrast lies in pairs of measured pixels, as the
        few photons of a corner are symmetric by chance.
    """
    coarse = max(1, min(photons.shape[-2:]) // _COARSE)
    height, width = (n // coarse * coarse for n in photons.shape[-2:])
    binned, kept = bin_pixels(photons[:, None, :height, :width], mask[:, None, :height, :width], coarse)
    found = find_beam_centre(binned[:, 0], kept[:, 0], max_shift=0.5)
    if coarse > 1 and bool(found.symmetry.isfinite()):
        guess = found.centre * coarse + (coarse - 1) / 2
        found = find_beam_centre(photons, mask, guess, max_shift=2 * coarse / min(height, width))
    sure = found.symmetry.isfinite() & _is_of_most(photons[0], mask[0], found.centre[0])
    return BeamCentre(*(torch.where(sure, each, torch.nan) for each in (found.centre, found.symmetry)))


def symmetry_about(photons: Tensor, mask: Tensor, centre: Tensor, reach: float) -> float:
    """Largest correlation of sqrt(photons) with its inversion about points within reach of a centre, pixels.

    ``photons`` (H, W), ``mask`` (H, W) bool, ``centre`` (2,); NaN where hardly any pair about it is measured.
    """
    best = float("nan")
    spans = [range(math.ceil(2 * (float(c) - reach)), math.floor(2 * (float(c) + reach)) + 1) for c in centre]
    f = photons.clamp_min(0).sqrt()
    for s in itertools.product(*spans):
        rows, columns = (slice(max(0, total - n + 1), min(n, total + 1)) for total, n in zip(s, f.shape, strict=True))
        if rows.stop <= rows.start or columns.stop <= columns.start:
            continue
        half, kept = f[rows, columns], mask[rows, columns]
        kept = kept & kept.flip(0, 1)
        first, second = half[kept], half.flip(0, 1)[kept]
        if len(first) >= _LEAST_PAIRS and float(first.std()) > 0:
            value = float(((first - first.mean()) * (second - second.mean())).mean() / first.var(correction=0))
            best = max(value, best) if math.isfinite(best) else value
    return best


def _is_of_most(photons: Tensor, mask: Tensor, centre: Tensor) -> Tensor:
    """Whether most contrast of sqrt(photons) lies in pairs of measured pixels about a centre, and in many pairs."""
    rows, columns = (
        round(2 * float(c)) - torch.arange(n, device=mask.device) for c, n in zip(centre, mask.shape, strict=True)
    )
    inside = ((rows >= 0) & (rows < mask.shape[0]))[:, None] & (columns >= 0) & (columns < mask.shape[1])
    mates = mask[rows.clamp(0, mask.shape[0] - 1)][:, columns.clamp(0, mask.shape[1] - 1)]
    f = photons.clamp_min(0).sqrt()
    power = torch.where(mask, f - f[mask].mean(), 0).square()
    paired = inside & mates & mask
    return (power[paired].sum() > _LEAST_SHARE * power.sum()) & ((photons[paired] > 0).sum() >= _LEAST_LIT)


def _window(length: int, centre: Tensor, reach: float) -> range:
    """Positions from 0 to length - 1 within reach of any centre (B,), and one more on either side for the parabola."""
    low, high = int(centre.min() - reach) - 1, int(centre.max() + reach) + 2
    start = min(max(0, low), length - 1)
    return range(start, max(start + 1, min(length, high + 1)))


def _near(sums: range, centre: Tensor, reach: float) -> Tensor:
    """Mask (B, sums) of the sums s within reach of the centre."""
    return (torch.arange(sums.start, sums.stop, device=centre.device) - centre[:, None]).abs() <= reach


def _inversion_correlation(f: Tensor, keep: Tensor, rows: range, columns: range) -> Tensor:
    """Pearson correlation of f(x) and f(s - x) over pairs of measured pixels.

    Args:
        f: (B, H, W) float, 0 where not measured.
        keep: (B, H, W) or (1, H, W), 1 where measured.
        rows, columns: Sums s = 2c to compute, pixel.

    Returns:
        (B, rows, columns); -inf where too few pairs are measured.
    """
    most = _pairs(keep, keep, *(range(2 * n - 1) for n in f.shape[-2:])).amax((-2, -1), keepdim=True)
    count = _pairs(keep, keep, rows, columns)
    enough = count > LEAST_OVERLAP * most
    count = count.clamp_min(1)
    mean = _pairs(f, keep, rows, columns) / count
    variance = _pairs(f.square(), keep, rows, columns) / count - mean**2
    whole = f.square().sum((-2, -1), keepdim=True) / keep.sum((-2, -1), keepdim=True).clamp_min(1)
    enough = enough & (variance > _LEAST_VARIANCE * whole)
    return torch.where(enough, (_pairs(f, f, rows, columns) / count - mean**2) / variance, -torch.inf)


def _pairs(a: Tensor, b: Tensor, rows: range, columns: range) -> Tensor:
    """Sum over x of a(x) times b(s - x), without x = s - x, for the sums s of a window: (B, rows, columns).

    The period of the transform is just long enough that no other sum wraps into the window.
    """
    height, width = a.shape[-2:]
    shape = [_period(n, window) for n, window in ((height, rows), (width, columns))]
    product = torch.fft.rfft2(a, s=shape)
    product = product.square() if b is a else product * torch.fft.rfft2(b, s=shape)
    whole = torch.fft.irfft2(product, s=shape)
    del product
    sums: Tensor = whole[:, _wrapped(rows, shape[0], whole.device)][:, :, _wrapped(columns, shape[1], whole.device)]
    own = (slice(-window.start % 2, None, 2) for window in (rows, columns))
    half = [slice((window.start + 1) // 2, (window.stop + 1) // 2) for window in (rows, columns)]
    sums[(slice(None), *own)] -= a[:, half[0], half[1]] * b[:, half[0], half[1]]
    return sums


def _period(length: int, window: range) -> int:
    """Least length of a transform of ``length`` pixels whose self-convolution is exact within the window."""
    return int(next_fast_len(max(length, window.stop, 2 * length - 1 - window.start), real=True))


def _wrapped(window: range, period: int, device: torch.device) -> Tensor:
    return torch.arange(window.start, window.stop, device=device) % period


def _parabola(values: Tensor, row: Tensor, column: Tensor, axis: int) -> Tensor:
    """Offset of the vertex, within half a step, of the parabola through a maximum and its neighbours along an axis."""
    b = torch.arange(len(values), device=values.device)
    at = [row, column]
    around = []
    for step in (-1, 0, 1):
        shifted = list(at)
        shifted[axis] = (at[axis] + step).clamp(0, values.shape[axis + 1] - 1)
        around.append(values[b, shifted[0], shifted[1]])
    below, here, above = around
    offset = (below - above) / (2 * (below - 2 * here + above))
    return torch.where(offset.isfinite(), offset, torch.zeros_like(offset)).clamp(-0.5, 0.5)
