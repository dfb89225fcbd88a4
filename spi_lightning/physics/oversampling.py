"""Extent of a particle and oversampling of its pattern, both from the autocorrelation."""

from dataclasses import dataclass

import torch
from torch import Tensor

from spi_lightning.errors import UserError

from .fourier import inverse_fourier
from .hole_filling import fill_holes

_FAINT = 0.05  # share of the lit voxels that hold at most one photon, in any unit
_NOISE = 5.0  # standard deviations that the largest of some hundred thousand noisy voxels reaches
_APART = 3.0  # times the level, that a part of the autocorrelation beyond a gap reaches; a beam that varies leaves less


@dataclass(frozen=True)
class Oversampling:
    """Extent of the particle and oversampling of one pattern.

    Attributes:
        extent: Lengths of the particle along z, y, x; voxel of the density that the transform of the pattern gives.
        ratio: Voxels of the pattern over extent, per axis; below 2 the phases are not determined along this axis alone.
        level: Share of the autocorrelation's maximum at which it was taken to end.
    """

    extent: tuple[float, ...]
    ratio: tuple[float, ...]
    level: float

    def __str__(self) -> str:
        extent = " x ".join(f"{value:.0f}" for value in self.extent)
        ratio = " x ".join(f"{value:.2f}" for value in self.ratio)
        return f"particle of {extent} voxels, oversampling {ratio} (autocorrelation above {self.level:.1%})"

    def box(self, margin: float = 1.1) -> tuple[int, ...]:
        """Edges of a box that holds the particle with a margin, voxel, up to the pattern's own."""
        edges = (extent * ratio for extent, ratio in zip(self.extent, self.ratio, strict=True))
        return tuple(
            min(int(extent * margin + 0.999), round(edge)) for extent, edge in zip(self.extent, edges, strict=True)
        )


def estimate_oversampling(photons: Tensor, mask: Tensor | None = None, fraction: float = 0.02) -> Oversampling:
    """Estimate extent and oversampling from the autocorrelation, which is twice as wide as the particle.

    The autocorrelation ends where it falls below ``fraction`` of its maximum or below five standard deviations of
    photon noise; parts beyond a gap must reach three times this level, which frames of a varying beam do not. One
    photon is 1, or in patterns of smaller units (scaled counts, relative intensities) the largest value of the
    faintest twentieth of the lit voxels. On simulated particles with soft edges the result is 0.9 to 1.0 of the
    extent: faces end in a linear wedge, corners in less.

    Args:
        photons: (..., Y, X) of one pattern, 2D or 3D, origin at n // 2; 0 where not measured.
        mask: The same shape, bool, True where measured; holes are filled first, see fill_holes. None: all.
        fraction: Share of its maximum at which the autocorrelation ends.

    Raises:
        UserError: The pattern has no photons, or the fraction is outside (0, 1).
    """
    if not 0 < fraction < 1:
        raise UserError(f"oversampling.fraction={fraction}: give a number between 0 and 1")
    total = float(photons.sum())
    if total <= 0:
        raise UserError("the pattern holds no photons: its oversampling cannot be estimated")
    photons = photons if mask is None else fill_holes(photons, mask)
    total = float(photons.sum())
    autocorrelation = inverse_fourier(photons.to(torch.complex64), photons.ndim).abs()
    level = min(max(fraction, _NOISE * (_photon(photons) / total) ** 0.5), 0.5)
    extents = []
    for axis in range(photons.ndim):
        others = [other for other in range(photons.ndim) if other != axis]
        extents.append(_extent(autocorrelation.amax(others) / autocorrelation.max(), level))
    ratios = (n / extent for n, extent in zip(photons.shape, extents, strict=True))
    return Oversampling(tuple(extents), tuple(ratios), level)


def _extent(heights: Tensor, level: float) -> float:
    """Half the width (voxel) of planes (n,) that exceed the level, without faint ones beyond a gap."""
    runs: list[list[int]] = []
    for plane in (heights > level).nonzero()[:, 0].tolist():
        if runs and plane == runs[-1][-1] + 1:
            runs[-1].append(plane)
        else:
            runs.append([plane])
    kept = [run for run in runs if float(heights[run].max()) > _APART * level or len(heights) // 2 in run]
    return (kept[-1][-1] - kept[0][0] + 2) / 2


def _photon(photons: Tensor) -> float:
    """Value of one photon in this pattern, at most 1."""
    lit = photons[photons > 0].float()
    return min(1.0, float(lit.kthvalue(1 + int(_FAINT * (len(lit) - 1))).values))


def suggest_bin(oversampling: Oversampling, least: float = 2.5) -> tuple[int, ...]:
    """Voxels that may be added along each axis so that the oversampling stays at ``least`` or above; 1 if it is not."""
    return tuple(max(1, int(ratio / least)) for ratio in oversampling.ratio)


def suggest_size(photons: Tensor, bin: tuple[int, ...], share: float = 0.9999) -> tuple[int, ...]:
    """Even edges (binned voxels) around n // 2 outside of which lie no more than ``1 - share`` of the photons."""
    total, edges = float(photons.sum()), []
    for axis, (n, step) in enumerate(zip(photons.shape, bin, strict=True)):
        profile = photons.sum([other for other in range(photons.ndim) if other != axis])
        away = (torch.arange(n, device=photons.device) - n // 2).abs()
        within = torch.zeros(n, device=photons.device).scatter_add_(0, away, profile).cumsum(0)
        half = int((within < share * total).sum()) + 1
        edges.append(max(2, min(2 * -(-half // step), n // step // 2 * 2)))
    return tuple(edges)
