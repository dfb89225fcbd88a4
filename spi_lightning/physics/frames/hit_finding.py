"""Hit finding: photons and lit pixels of each frame against a Poisson background."""

from dataclasses import dataclass

import torch
from torch import Tensor

_EDGE = 0.2  # share of the measured pixels, those farthest from the beam, that define the background of a frame


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
        level, pixels = _edge_background(counts, keep, beam_centre)
        rate, uncertainty = level[:, None, None].expand(photons.shape), level / pixels
    else:
        rate, uncertainty = background.to(counts).expand(photons.shape), counts.new_zeros(len(counts))
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


def _edge_background(counts: Tensor, keep: Tensor, beam_centre: Tensor | None) -> tuple[Tensor, Tensor]:
    """Photons per pixel (B,) far from the beam, and the number of pixels (B,) they were counted in."""
    height, width = counts.shape[-2:]
    if beam_centre is None:
        beam_centre = torch.tensor([(height - 1) / 2, (width - 1) / 2])
    centre = beam_centre.to(counts).expand(len(counts), 2)
    y = torch.arange(height, device=counts.device) - centre[:, :1]
    x = torch.arange(width, device=counts.device) - centre[:, 1:]
    radius = torch.hypot(y[:, :, None], x[:, None, :]).masked_fill(~keep, -1)
    measured = keep.sum((-2, -1))
    rank = (measured * _EDGE).ceil().long().clamp_min(1)
    limit = radius.flatten(1).sort(dim=1, descending=True).values.gather(1, rank[:, None] - 1)
    edge = (radius >= limit[:, :, None]) & keep
    pixels = edge.sum((-2, -1)).clamp_min(1)
    return ((counts * edge).sum((-2, -1)) + 0.5) / pixels, pixels.to(counts.dtype)
