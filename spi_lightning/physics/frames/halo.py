"""Blank frames with a halo of scattered light around the beam, told from hits by the frames of a file alone.

A halo gives more photons near the beam than a flat background, so that the hit finder takes a blank frame for a hit.
Over the frames of one file halos are of about one brightness, and each falls smoothly and evenly around the beam,
whereas particles are of many brightnesses and show rings or speckles.
"""

from typing import Final

import torch
from torch import Tensor

from spi_lightning.physics.array import cut_window

from .frame_scale import NARROWEST_TRIED, speckle_widths

_FEWEST: Final = 12  # frames of the faintest group
_BANDWIDTH: Final = 0.2  # of the density of frames over the logarithm of their photons
_STEPS: Final = 256  # at which it is computed
_VALLEY: Final = 0.25  # density between two groups, over that of the lower
_WIDEST: Final = 0.9  # standard deviation of the logarithm of the brightness of halos
_DEVIATIONS: Final = 5.0  # above the middle of the group, up to which a frame is blank
_SECTORS: Final = 8
_RINGS: Final = 12
_MEASURED: Final = 0.6  # share of a ring that must be measured
_UNEVEN: Final = 0.05  # squared contrast around the beam from which no ring is that of a halo
_TRIED: Final = 48  # frames of the group in each of which rings are looked for
_WITH_RINGS: Final = 0.7  # share of these that shows rings, from which they are no halos
_CERTAIN: Final = 5.0  # standard deviations at which it counts
_MEDIAN_DEVIATION: Final = 1.4826  # standard deviation of a normal distribution over its median absolute deviation


def photons_near(photons: Tensor, mask: Tensor, beam_centre: Tensor, background: Tensor) -> Tensor:
    """Photons above a flat background in the square around the beam of half the frame's shorter edge, (B,).

    Args:
        photons: (B, H, W) counts.
        mask: (H, W) or (B, H, W) bool, True = measured.
        beam_centre: (2,) row, column, pixel.
        background: (B,) photons per pixel.
    """
    counts, keep = _square(photons, mask, beam_centre)
    return (counts * keep).sum((-2, -1)) - background * keep.sum((-2, -1))


def brightest_halo(photons: Tensor, mask: Tensor, beam_centre: Tensor, background: Tensor) -> float:
    """Photons near the beam up to which frames are blank, see photons_near; 0 where the faintest are no halos.

    The faintest group of frames ends where their density over the logarithm of the brightness falls into a valley, or
    five standard deviations above its middle. It is a halo if its brightness is of one order, if the sum of its
    frames and most of them are explained better by a decay than by any sphere, and if no ring around the beam is
    uneven beyond Poisson noise.

    Args:
        photons: (B, H, W) counts of frames that the hit finder took.
        mask: (H, W) or (B, H, W) bool, True = measured.
        beam_centre: (2,) row, column, pixel.
        background: (B,) photons per pixel.
    """
    near = photons_near(photons, mask, beam_centre, background)
    limit = _end_of_faintest(near)
    faint = near < limit
    if limit <= 0:
        return 0.0
    masks = mask if mask.ndim == 2 else mask[faint]
    return limit if _is_halo(photons[faint], masks, beam_centre, background[faint]) else 0.0


def _end_of_faintest(near: Tensor) -> float:
    """Photons at which the faintest group of frames (B,) ends; 0 where there is none of one brightness."""
    position = near[near > 0].double().log().sort().values
    if len(position) < _FEWEST:
        return 0.0
    steps = torch.linspace(float(position[0]), float(position[-1]) + 1e-6, _STEPS, dtype=torch.float64)
    density = torch.exp(-(((steps[:, None] - position) / _BANDWIDTH) ** 2) / 2).sum(1)
    for valley in ((density[1:-1] < density[:-2]) & (density[1:-1] <= density[2:])).nonzero()[:, 0] + 1:
        lower, upper = density[:valley].max(), density[valley:].max()
        if int((position < steps[valley]).sum()) >= _FEWEST and density[valley] < _VALLEY * torch.minimum(lower, upper):
            break
    else:
        valley = torch.tensor(_STEPS - 1)
    group = position[position <= steps[valley]]
    middle = group.median()
    spread = _MEDIAN_DEVIATION * float((group - middle).abs().median())
    if spread > _WIDEST:
        return 0.0
    at_most = float(middle) + _DEVIATIONS * spread
    end = float(steps[valley]) if int(valley) < _STEPS - 1 else at_most
    return float(torch.tensor(min(end, at_most)).exp())


def _is_halo(photons: Tensor, mask: Tensor, beam_centre: Tensor, background: Tensor) -> bool:
    """Whether frames (B, H, W) decay without rings, their sum and most of them, with no ring that is uneven."""
    shared = mask if mask.ndim == 2 else mask.all(0)
    contrast, certainty = ring_contrast(*_square(photons, shared, beam_centre))
    if bool(((contrast > _UNEVEN) & (certainty > _CERTAIN)).any()):
        return False
    summed, level = (photons * shared).sum(0, keepdim=True), background.sum()
    if bool(speckle_widths(summed, shared, beam_centre, level, NARROWEST_TRIED)[1] > 0):
        return False
    some = slice(None, None, -(-len(photons) // _TRIED))
    rings = speckle_widths(photons[some], shared, beam_centre, background[some])[1] > 0
    return float(rings.double().mean()) < _WITH_RINGS


def ring_contrast(photons: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Squared contrast of frames along twelve rings around their middle beyond Poisson noise, and over its error.

    Every ring is cut into eight sectors. Even light gives 0 whatever its photons, fully developed speckles of the width
    of a sector 1. Rings of which less than 60 % was measured give 0, as light that falls steeply is not even there.

    Args:
        photons: (B, h, w) counts.
        mask: (h, w) bool, True = measured.

    Returns:
        Contrast and its ratio to the standard error, (12,) each.
    """
    height, width = mask.shape
    y, x = (torch.arange(n, device=mask.device) - (n - 1) / 2 for n in (height, width))
    ring = (torch.hypot(y[:, None], x[None, :]) / (min(height, width) / 2) * _RINGS).long()
    angle = torch.atan2(y[:, None].expand(height, width), x[None, :].expand(height, width))
    sector = ((angle / torch.pi + 1) / 2 * _SECTORS).long().clamp_max(_SECTORS - 1)
    used = mask & (ring < _RINGS)
    cell, counts = (ring * _SECTORS + sector)[used], photons[:, used].double()
    empty = counts.new_zeros(len(counts), _RINGS * _SECTORS)
    size = torch.bincount(cell, minlength=_RINGS * _SECTORS).double().reshape(_RINGS, _SECTORS)
    share = size / size.sum(1, keepdim=True).clamp_min(1)
    found = empty.index_add(1, cell, counts).reshape(-1, _RINGS, _SECTORS)
    expected = found.sum(2, keepdim=True) * share
    excess = ((found - expected) ** 2 - expected * (1 - share)).sum((0, 2))
    power = (expected**2).sum((0, 2)).clamp_min(1e-12)
    whole = torch.bincount(ring.flatten(), minlength=_RINGS)[:_RINGS]
    excess = torch.where(size.sum(1) >= _MEASURED * whole, excess, 0.0)
    return excess / power, excess / (2 * power).sqrt()


def _square(photons: Tensor, mask: Tensor, beam_centre: Tensor) -> tuple[Tensor, Tensor]:
    """Square around the beam, half the shorter edge of the frames wide, of photons and mask."""
    edge = min(photons.shape[-2:]) // 2
    start = [round(float(at) + 0.5 - edge / 2) for at in beam_centre]
    counts, keep = (cut_window(image, start, (edge, edge)) for image in (photons, mask))
    return counts, keep
