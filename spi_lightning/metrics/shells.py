"""Shells of equal |q| of arrays of any shape: means over them, crossings of curves, and full-period resolutions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from spi_lightning.physics.fourier import radial_frequency


@dataclass(frozen=True)
class Shells:
    """Shells of equal |q| of one array shape.

    Attributes:
        index: (spatial) int64 shell of every pixel, origin at n // 2; the corners beyond the last shell have ``count``.
        frequency: (S,) mean |q| of a shell, cycles per pixel; 0.5 is the edge of the array.
        pixels: (S,) number of pixels of a shell.
    """

    index: Tensor
    frequency: Tensor
    pixels: Tensor

    def sum(self, values: Tensor) -> Tensor:
        """Sums over the shells, (..., spatial) real or complex -> (..., S)."""
        ndim, shells = self.index.ndim, len(self.frequency)
        flat = values.flatten(-ndim) if ndim else values
        index = self.index.flatten().to(values.device).expand(flat.shape)
        total = flat.new_zeros(*flat.shape[:-1], shells + 1)
        return total.scatter_add(-1, index, flat)[..., :shells]

    def mean(self, values: Tensor, mask: Tensor | None = None) -> Tensor:
        """Means over the shells where ``mask`` is True, (..., spatial) -> (..., S); NaN where a shell has no pixel."""
        if mask is None:
            mask = torch.ones(self.index.shape, dtype=torch.bool, device=values.device)
        weight = mask.to(values.device).expand(values.shape)
        total = self.sum(torch.where(weight, values, 0))
        return total / self.sum(weight.to(torch.float64)).to(values.abs().dtype)


def shells(shape: tuple[int, ...] | torch.Size, width: float = 1.0) -> Shells:
    """Shells of ``width`` pixels (of the longest axis) from q = 0 to the edge at 0.5 cycles per pixel."""
    radius = radial_frequency(shape)
    step = width / max(shape)
    count = math.floor(0.5 / step) + 1
    index = (radius / step).round().long().clamp_max(count)
    flat = index.flatten()
    pixels = torch.bincount(flat, minlength=count + 1)[:count]
    total = torch.bincount(flat, radius.flatten(), minlength=count + 1)[:count]
    return Shells(index, (total / pixels.clamp_min(1)).float(), pixels)


def crossing(frequency: Tensor, curve: Tensor, threshold: Tensor | float) -> Tensor:
    """First frequency at which a curve falls below a threshold, linear between shells.

    Args:
        frequency: (S,) increasing frequencies of the shells.
        curve: (..., S) values; NaN shells are skipped.
        threshold: One threshold or (S,) thresholds.

    Returns:
        (...) frequency; NaN where the curve never falls below, the first one where it begins below.
    """
    above = curve - threshold
    below = above < 0  # False for NaN
    first = torch.where(below.any(-1), below.float().argmax(-1), curve.shape[-1] - 1)
    before = (first - 1).clamp_min(0)
    high, low = (above.gather(-1, index[..., None])[..., 0] for index in (before, first))
    part = torch.where(below.any(-1) & (high > 0), high / (high - low), torch.ones_like(high))
    start = frequency.to(part)[before]
    found = start + part * (frequency.to(part)[first] - start)
    return torch.where(below.any(-1), found, torch.nan)


_EQUAL: Final = 0.01  # relative difference of edges below which they are one length


def alike(edges: ArrayLike) -> bool:
    """Whether the edges of a pixel are equal within 1 %, so that shells of cycles per pixel are of one |q|."""
    lengths = np.asarray(edges, dtype=np.float64)
    return bool(np.ptp(lengths) <= _EQUAL * lengths.mean())


def common_edge(edges: ArrayLike, known: bool = True) -> float:
    """Common edge (m) of a pixel, to convert cycles per pixel to 1/m; 1 where edges differ or are unknown."""
    return float(np.mean(np.asarray(edges, dtype=np.float64))) if known and alike(edges) else 1.0


def resolutions(name: str, frequency: float, edges: ArrayLike, axes: Sequence[str] = "zyx") -> dict[str, float]:
    """Full periods in nm at a frequency (cycles per pixel), as entries ``name/resolution_nm`` of metrics.json.

    Along an axis it is the pixel's edge there (m) over the frequency: one number where all edges are alike, else one
    for each axis, as ``name/resolution_nm/z``, ``/y`` and ``/x``, or by other names of the axes.
    """
    lengths = np.asarray(edges, dtype=np.float64)
    periods = {axis: 1e9 * float(edge) / frequency for axis, edge in zip(axes[-lengths.size :], lengths, strict=True)}
    if alike(edges):
        return {f"{name}/resolution_nm": float(np.mean(list(periods.values())))}
    return {f"{name}/resolution_nm/{axis}": period for axis, period in periods.items()}
