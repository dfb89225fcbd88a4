"""Hit finding: photons and lit pixels of each frame against a Poisson background."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from spi_lightning.physics.array import cut_window

_EDGE = 0.2  # share of the measured pixels, those farthest from the beam, that define the background of a frame
_RARE = 1e-3  # share of background pixels that are so bright


@dataclass(frozen=True)
class Hits:
    """Result of hit finding on B frames.

    Attributes:
        photon_count: (B,) photons in the measured pixels.
        lit_pixels: (B,) measured pixels with at least `lit_from` photons.
        background: (B,) background photons expected in measured pixels.
        photon_excess: (B,) photons above background, in standard deviations.
        lit_excess: (B,) lit pixels above those expected, in standard deviations.
        is_hit: (B,) bool, True where both exceed the threshold: one hot pixel, or a few more photons everywhere, are no
            hit.
    """

    photon_count: Tensor
    lit_pixels: Tensor
    background: Tensor
    photon_excess: Tensor
    lit_excess: Tensor
    is_hit: Tensor


def find_hits(
    photons: Tensor,
    mask: Tensor,
    background: Tensor | None = None,
    beam_centre: Tensor | None = None,
    lit_from: int = 1,
    threshold: float = 5.0,
) -> Hits:
    """Classify frames as hits by the excess of photons and of lit pixels over a Poisson background.

    Args:
        photons: (B, H, W) counts.
        mask: (H, W) or (B, H, W) bool, True = measured.
        background: (H, W) or (B, H, W) expected background photons per pixel, from frames without sample.
            Default: flat, estimated in each frame from the fifth of its pixels farthest from the beam, with the
            uncertainty of that estimate counted in; scattering that reaches there lowers the excess.
        beam_centre: (2,) or (B, 2) row, column, pixel, for the default background; default the middle of the detector.
        lit_from: Least photons of a lit pixel.
        threshold: Standard deviations from which an excess is a hit.
    """
    keep = mask.expand(photons.shape)
    counts = torch.where(keep, photons, torch.zeros_like(photons))
    if background is None:
        level, pixels = _edge_background(counts, mask.reshape(-1, *photons.shape[-2:]), beam_centre)
        return _compared(counts, keep, level[:, None, None], level / pixels, lit_from, threshold)
    return _compared(counts, keep, background.to(counts), counts.new_zeros(len(counts)), lit_from, threshold)


def _compared(
    counts: Tensor, keep: Tensor, background: Tensor, uncertainty: Tensor, lit_from: int, threshold: float
) -> Hits:
    """Counts (B, H, W) of measured pixels against a background, whose level has the variance ``uncertainty`` (B,)."""
    rate = background.expand(counts.shape)
    total = (rate * keep).sum((-2, -1))
    measured = keep.sum((-2, -1))
    photon_count, lit_pixels = counts.sum((-2, -1)), ((counts >= lit_from) & keep).sum((-2, -1))

    order = torch.as_tensor(float(lit_from), dtype=rate.dtype, device=rate.device)
    lit = torch.special.gammainc(order, rate) * keep  # P(n >= k) of a Poisson variable
    steepness = (torch.exp((order - 1) * rate.clamp_min(1e-30).log() - rate - torch.lgamma(order)) * keep).sum((-2, -1))
    photon_variance = total + measured**2 * uncertainty
    lit_variance = (lit * (1 - lit)).sum((-2, -1)) + steepness**2 * uncertainty
    photon_excess = (photon_count - total) / photon_variance.clamp_min(1).sqrt()
    lit_excess = (lit_pixels - lit.sum((-2, -1))) / lit_variance.clamp_min(1).sqrt()
    is_hit = torch.minimum(photon_excess, lit_excess) > threshold
    return Hits(photon_count, lit_pixels, total, photon_excess, lit_excess, is_hit)


def is_hit_near(
    photons: Tensor, mask: Tensor, beam_centre: Tensor, edges: Sequence[int], threshold: float = 5.0
) -> tuple[Tensor, Tensor]:
    """Which frames are hits, in the whole frame or in one of the squares around the beam, and the background.

    The background of a large detector hides the few photons of a hit, but not in the square that holds them, nor do
    its lit pixels hide those of many photons. Its level is that of the whole frame, see find_hits.

    Args:
        photons: (B, H, W) counts.
        mask: (H, W) or (B, H, W) bool, True = measured.
        beam_centre: (2,) row, column, pixel.
        edges: Edges of the squares, pixel; those that are no smaller than the frame are left out.
        threshold: Standard deviations from which an excess is a hit.

    Returns:
        (B,) bool, True for a hit, and the background (B,), photons per pixel.
    """
    keep = mask.expand(photons.shape)
    counts = torch.where(keep, photons, torch.zeros_like(photons))
    level, pixels = _edge_background(counts, mask.reshape(-1, *photons.shape[-2:]), beam_centre)
    known = level[:, None, None], level / pixels
    is_hit, bright = _compared(counts, keep, *known, 1, threshold).is_hit, _rare(float(level.median()))
    for edge in (edge for edge in edges if edge < min(photons.shape[-2:])):
        start = [round(float(at) + 0.5 - edge / 2) for at in beam_centre]
        inside, kept = (cut_window(image, start, (edge, edge)) for image in (counts, keep))
        for lit_from in {1, bright}:
            is_hit = is_hit | _compared(inside, kept, *known, lit_from, threshold).is_hit
    return is_hit, level


def _rare(rate: float) -> int:
    """Least photons of a pixel that background of so many photons per pixel gives in fewer than one of 1,000."""
    order = torch.arange(1, 200 + 2 * int(rate), dtype=torch.float64)
    probability = torch.special.gammainc(order, torch.full_like(order, rate))
    return int((probability > _RARE).sum()) + 1


def _edge_background(counts: Tensor, keep: Tensor, beam_centre: Tensor | None) -> tuple[Tensor, Tensor]:
    """Photons per pixel (B,) far from the beam, and the number of pixels (B,) they were counted in."""
    height, width = counts.shape[-2:]
    if beam_centre is None:
        beam_centre = torch.tensor([(height - 1) / 2, (width - 1) / 2])
    edge = _farthest(keep, beam_centre.to(counts).reshape(-1, 2))
    pixels = edge.sum((-2, -1)).clamp_min(1).expand(len(counts))
    return ((counts * edge).sum((-2, -1)) + 0.5) / pixels, pixels.to(counts.dtype)


def _farthest(keep: Tensor, centre: Tensor) -> Tensor:
    """Fifth of the measured pixels farthest from the beam: masks and centres, of each frame or one, -> (b, H, W)."""
    y, x = (torch.arange(n, device=keep.device) - centre[:, axis, None] for axis, n in enumerate(keep.shape[-2:]))
    radius = torch.hypot(y[:, :, None], x[:, None, :]).masked_fill(~keep, -1)
    rank = (keep.sum((-2, -1)) * _EDGE).ceil().long().clamp_min(1).expand(len(radius))
    limit = radius.flatten(1).sort(dim=1, descending=True).values.gather(1, rank[:, None] - 1)
    return (radius >= limit[:, :, None]) & keep
