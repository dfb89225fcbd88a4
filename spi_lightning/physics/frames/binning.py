"""Cropping of patterns to their centre, and binning of pixels."""

import torch
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.physics.array import crop


def centre_crop(pattern: Tensor, size: int | None) -> Tensor:
    """Central crop (..., H, W) -> (..., size, size): pixel (H // 2, W // 2) becomes (size // 2, size // 2)."""
    if size is None:
        return pattern
    height, width = pattern.shape[-2:]
    if size > min(height, width):
        raise UserError(f"preprocess.crop={size} is larger than the patterns of {height} x {width} pixels")
    return crop(pattern, (size, size))


def bin_pixels(photons: Tensor, mask: Tensor, bin: int) -> tuple[Tensor, Tensor]:
    """Bin pixels: sums over squares, (B, 1, H, W) -> (B, 1, H / bin, W / bin) photons and mask.

    Masked pixels do not count; squares with some of them are scaled to the full area, so that a gap does not look
    like a fringe.
    """
    height, width = photons.shape[-2:]
    if height % bin or width % bin:
        raise UserError(
            f"preprocess.bin={bin} does not divide patterns of {height} x {width} pixels: set preprocess.crop"
        )
    binned = _sum_squares(torch.where(mask, photons, 0.0), bin)
    measured = _sum_squares(mask.to(binned.dtype), bin)
    return binned * (bin**2 / measured.clamp(min=1)), measured > 0


def _sum_squares(image: Tensor, bin: int) -> Tensor:
    """Add up rows, whose neighbours lie side by side in memory, then the fewer columns that are left."""
    rows = sum((image[..., row::bin, :] for row in range(1, bin)), start=image[..., ::bin, :])
    return sum((rows[..., column::bin] for column in range(1, bin)), start=rows[..., ::bin])
