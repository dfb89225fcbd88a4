"""Canonical patterns: photons of a frame in 64 x 64 cells around the beam, of which a speckle is 6 cells wide."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from spi_lightning.physics.array import bin_pixels, cut_window

from .frame_scale import CELLS, FrameScale

LEAST_SHARE: Final = 0.25  # of the area of a fractional cell that must be measured


def canonical(photons: Tensor, mask: Tensor, scale: FrameScale) -> tuple[Tensor, Tensor]:
    """Photons in 64 x 64 cells around the beam, scaled to full cells, and which were measured.

    Args:
        photons: (B, 1, H, W) counts.
        mask: (B, 1, H, W) or (1, 1, H, W) bool, True = measured.
        scale: Scale of the frames.

    Returns:
        (B, 1, 64, 64) photons, and mask, (B, 1, 64, 64) or (1, 1, 64, 64) bool.
    """
    if scale.bin is not None:
        start = [_first_pixel(at, scale.bin) for at in scale.beam_centre]
        edges = (scale.bin * CELLS, scale.bin * CELLS)
        return bin_pixels(cut_window(photons, start, edges), cut_window(mask, start, edges), scale.bin)
    reach = int(scale.cell * CELLS / 2) + 2
    start = [int(at) - reach for at in scale.beam_centre]
    photons, mask = (cut_window(image, start, (2 * reach, 2 * reach)) for image in (photons, mask))
    rows, columns = (
        cell_shares(at - first, scale.cell, 2 * reach).to(photons)
        for at, first in zip(scale.beam_centre, start, strict=True)
    )
    cells = rows @ torch.where(mask, photons, 0.0) @ columns.T
    share = (rows @ mask.to(photons.dtype) @ columns.T) / scale.cell**2
    measured = share >= LEAST_SHARE
    return torch.where(measured, cells / share.clamp_min(LEAST_SHARE), 0.0), measured


def measured_share(mask: Tensor, scale: FrameScale) -> Tensor:
    """Share of the area of every cell of canonical patterns that pixels measure, (64, 64) float32.

    Args:
        mask: (H, W) bool, True = measured.
        scale: Scale of the frames.
    """
    rows, columns = (
        cell_shares(_middle(at, scale), scale.cell, length)
        for at, length in zip(scale.beam_centre, mask.shape, strict=True)
    )
    return ((rows @ mask.double() @ columns.T) / scale.cell**2).float()


def cell_shares(centre: float, cell: float, pixels: int) -> Tensor:
    """Share of each pixel that lies in each cell along one axis, (64, pixels) float64.

    Args:
        centre: Position of the beam, pixel, where the middle of the first pixel is 0; it is the edge of two cells.
        cell: Edge of a cell, pixel.
        pixels: Number of pixels along the axis.
    """
    edges = centre + cell * (torch.arange(CELLS + 1, dtype=torch.float64) - CELLS / 2)
    pixel = torch.arange(pixels, dtype=torch.float64)
    low = torch.maximum(edges[:-1, None], pixel - 0.5)
    high = torch.minimum(edges[1:, None], pixel + 0.5)
    return (high - low).clamp_min(0)


def _first_pixel(centre: float, bin: int) -> int:
    """First pixel of 64 cells of whole pixels, which may lie before the frame."""
    return round(centre + 0.5 - bin * CELLS / 2)


def _middle(centre: float, scale: FrameScale) -> float:
    """Position of the edge of the two middle cells, pixel: the beam, or next to it where cells are whole pixels."""
    return centre if scale.bin is None else _first_pixel(centre, scale.bin) + scale.bin * CELLS / 2 - 0.5
