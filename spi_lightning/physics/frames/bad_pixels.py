"""Pixels that a mask lacks: hot ones, far brighter than all around them in most frames, and ones that never count."""

from typing import Final

import torch
from torch import Tensor

_OVER: Final = 5.0  # photons of a hot pixel over those of the third brightest pixel around it
_LEAST_HOT: Final = 20.0  # photons of a hot pixel in all frames
_LIT: Final = 0.8  # share of the frames in which it is lit
_LEAST_AROUND: Final = 10.0  # photons of each pixel around one that never counts
_LEAST_LINE: Final = 30.0  # photons of the next lines on either side of one that never counts


def suspect_pixels(total: Tensor, lit: Tensor, mask: Tensor, frames: int) -> tuple[Tensor, Tensor]:
    """Hot pixels and dead ones among those that count as measured, (H, W) bool each.

    Args:
        total: (H, W) photons of all frames.
        lit: (H, W) number of frames in which a pixel has photons.
        mask: (H, W) bool, True = measured.
        frames: Number of frames.

    Returns:
        Hot: lit in most frames, and five times as bright as the third brightest of its eight measured neighbours.
        Dead: without photons between neighbours that all have some, and whole rows and columns between others.
    """
    counted = torch.where(mask, total, 0.0).double()
    around = _neighbours(torch.where(mask, counted, torch.nan))
    third, whole = around.nan_to_num(-1).sort(dim=0, descending=True).values[2], around.isfinite().all(0)
    hot = mask & whole & (lit >= _LIT * frames) & (counted > _OVER * third) & (counted >= _LEAST_HOT)
    least = around.nan_to_num(torch.inf).amin(0)
    dead = mask & (counted == 0) & (least >= _LEAST_AROUND) & least.isfinite()
    rows, columns = _dead_lines(counted.sum(1)), _dead_lines(counted.sum(0))
    return hot, dead | mask & (rows[:, None] | columns[None, :])


def _neighbours(image: Tensor) -> Tensor:
    """The eight pixels around each, (8, H, W), NaN beyond the edge."""
    padded = torch.nn.functional.pad(image, (1, 1, 1, 1), value=torch.nan)
    height, width = image.shape
    steps = [(y, x) for y in range(3) for x in range(3) if (y, x) != (1, 1)]
    return torch.stack([padded[y : y + height, x : x + width] for y, x in steps])


def _dead_lines(photons: Tensor) -> Tensor:
    """Which lines (n,) have no photon although the nearest lines with photons on both sides have many."""
    dead, lit = photons == 0, (photons > 0).nonzero()[:, 0]
    if len(lit) == 0:
        return torch.zeros_like(dead)
    after = torch.searchsorted(lit, torch.arange(len(photons), device=photons.device))
    inside = (after > 0) & (after < len(lit))
    below, above = photons[lit[(after - 1).clamp_min(0)]], photons[lit[after.clamp_max(len(lit) - 1)]]
    return dead & inside & (torch.minimum(below, above) >= _LEAST_LINE)
