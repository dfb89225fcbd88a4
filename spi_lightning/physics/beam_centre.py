"""Where the direct beam meets the detector, from each pattern alone: I(c + r) = I(c - r) at small angles."""

from dataclasses import dataclass

import torch
from scipy.fft import next_fast_len
from torch import Tensor

_LEAST_OVERLAP = 0.25  # of the largest number of pixel pairs; fewer pairs agree by chance


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

    For every s = 2c the masked Pearson correlation of f(x) with f(s - x), f = sqrt(photons), follows from four
    self-convolutions, done by FFT for all patterns at once; pairs of a pixel with itself are left out, as they would
    favour centres on pixels. A parabola through the largest value and its neighbours gives the fraction.

    Args:
        photons: (B, H, W) counts.
        mask: (H, W) or (B, H, W) bool, True = measured.
        guess: (2,) or (B, 2) row, column to search around, pixel; default the middle of the detector.
        max_shift: Largest distance from the guess along each axis, as a fraction of the shorter side.

    Source: Friedel's law, for a flat Ewald sphere; Padfield (2012), IEEE Trans. Image Process. 21, 2706, for masks.
    """
    height, width = photons.shape[-2:]
    keep = mask.to(torch.float32).expand(photons.shape)
    f = photons.clamp_min(0).sqrt() * keep
    f = (f - f.sum((-2, -1), keepdim=True) / keep.sum((-2, -1), keepdim=True).clamp_min(1)) * keep
    correlation = _inversion_correlation(f, keep)
    if guess is None:
        guess = torch.tensor([(height - 1) / 2, (width - 1) / 2])
    sums = 2 * guess.to(photons.device, torch.float32).expand(len(photons), 2)
    reach = 2 * max_shift * min(height, width)
    allowed = _near(2 * height - 1, sums[:, 0], reach)[:, :, None] & _near(2 * width - 1, sums[:, 1], reach)[:, None]
    correlation = correlation.masked_fill(~allowed, -torch.inf)
    best, place = correlation.flatten(1).max(dim=1)
    row, column = place // (2 * width - 1), place % (2 * width - 1)
    refined = [_parabola(correlation, row, column, axis) for axis in (0, 1)]
    centre = torch.stack([row + refined[0], column + refined[1]], dim=1) / 2
    known = best.isfinite()
    return BeamCentre(torch.where(known[:, None], centre, sums / 2), torch.where(known, best, torch.nan))


def _near(length: int, centre: Tensor, reach: float) -> Tensor:
    """(B, length) bool: places within reach of centre."""
    return (torch.arange(length, device=centre.device) - centre[:, None]).abs() <= reach


def _inversion_correlation(f: Tensor, keep: Tensor) -> Tensor:
    """Pearson correlation of f(x) and f(s - x) over pairs of measured pixels: (B, H, W) -> (B, 2H - 1, 2W - 1)."""
    rows, columns = (2 * n - 1 for n in f.shape[-2:])
    shape = [next_fast_len(rows, real=True), next_fast_len(columns, real=True)]
    transforms = [torch.fft.rfft2(part, s=shape) for part in (f, keep, f**2)]

    def pairs(a: int, b: int) -> Tensor:
        """Sum over x of part a at x times part b at s - x, without x = s - x."""
        sums: Tensor = torch.fft.irfft2(transforms[a] * transforms[b], s=shape)[:, :rows, :columns]
        sums[:, ::2, ::2] -= (f, keep, f**2)[a] * (f, keep, f**2)[b]
        return sums

    count = pairs(1, 1)
    enough = count > _LEAST_OVERLAP * count.amax((-2, -1), keepdim=True)
    count = count.clamp_min(1)
    mean = pairs(0, 1) / count
    variance = pairs(2, 1) / count - mean**2
    return torch.where(enough, (pairs(0, 0) / count - mean**2) / variance, -torch.inf)


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
