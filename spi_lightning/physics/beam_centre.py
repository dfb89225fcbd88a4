"""Where the direct beam meets the detector, from each pattern alone: I(c + r) = I(c - r) at small angles."""

from dataclasses import dataclass
from typing import Final

import torch
from scipy.fft import next_fast_len
from torch import Tensor

LEAST_OVERLAP: Final = 0.25  # of the largest number of pixel pairs; fewer pairs agree by chance


@dataclass(frozen=True)
class BeamCentre:
    """Beam centres of some patterns.

    Attributes:
        centre: (B, 2) row, column, pixel.
        symmetry: (B,) correlation of the pattern with its inversion about the centre, up to 1; where it is near 0 the
            centre means nothing; NaN for a pattern without contrast, or with too few pairs of measured pixels around
            the guess, which then is the centre.
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
    best, place = correlation.flatten(1).max(dim=1)
    row, column = place // len(columns), place % len(columns)
    refined = [_parabola(correlation, row, column, axis) for axis in (0, 1)]
    centre = torch.stack([rows[0] + row + refined[0], columns[0] + column + refined[1]], dim=1) / 2
    known = best.isfinite()
    return BeamCentre(torch.where(known[:, None], centre, sums / 2), torch.where(known, best, torch.nan))


def _window(length: int, centre: Tensor, reach: float) -> range:
    """Places from 0 to length - 1 within reach of any centre (B,), and one more on either side for the parabola."""
    low, high = int(centre.min() - reach) - 1, int(centre.max() + reach) + 2
    start = min(max(0, low), length - 1)
    return range(start, max(start + 1, min(length, high + 1)))


def _near(places: range, centre: Tensor, reach: float) -> Tensor:
    """(B, places) bool: within reach of centre."""
    return (torch.arange(places.start, places.stop, device=centre.device) - centre[:, None]).abs() <= reach


def _inversion_correlation(f: Tensor, keep: Tensor, rows: range, columns: range) -> Tensor:
    """Pearson correlation of f(x) and f(s - x) over pairs of measured pixels.

    Args:
        f: (B, H, W), 0 where not measured.
        keep: (B, H, W) or (1, H, W), 1 where measured.
        rows, columns: The places s that are wanted.

    Returns:
        (B, rows, columns); -inf where too few pairs are measured.
    """
    most = _pairs(keep, keep, *(range(2 * n - 1) for n in f.shape[-2:])).amax((-2, -1), keepdim=True)
    count = _pairs(keep, keep, rows, columns)
    enough = count > LEAST_OVERLAP * most
    count = count.clamp_min(1)
    mean = _pairs(f, keep, rows, columns) / count
    variance = _pairs(f.square(), keep, rows, columns) / count - mean**2
    return torch.where(enough, (_pairs(f, f, rows, columns) / count - mean**2) / variance, -torch.inf)


def _pairs(a: Tensor, b: Tensor, rows: range, columns: range) -> Tensor:
    """Sum over x of a(x) times b(s - x), without x = s - x, at the places s of a window: (B, rows, columns).

    The period of the transform is only so long that no other place is wrapped into the window.
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
    """Offset of the vertex, within half a place, of the parabola through a maximum and its neighbours along an axis."""
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
