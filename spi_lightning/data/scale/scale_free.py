"""Preprocessing that brings patterns of any detector to one scale: 64 x 64 cells, a speckle of 6 cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spi_lightning.data.transforms import HitInput
from spi_lightning.errors import UserError
from spi_lightning.fields import MASK, PHOTONS, Batch
from spi_lightning.io.patterns.pattern_file import PatternFile
from spi_lightning.notes import Note
from spi_lightning.physics.array import bin_pixels, cut_window
from spi_lightning.physics.frames.frame_scale import CELLS, FrameScale

from .file_scale import find_scale_and_hits

LEAST_SHARE: Final = 0.25  # of the area of a fractional cell that must be measured


class ScaleFree(HitInput):
    """Map from photons and mask to canonical patterns (B, 2, 64, 64): log(1 + photons per cell), and the mask.

    The frames are cut into cells around the beam, so that a speckle of the file's usual particle is 6 cells wide. Cells
    are squares of whole pixels, whose counts are added, where these bring the speckle within a tenth of 6 cells;
    the beam may then be half a pixel off the middle. Otherwise cells take the share of each pixel that they cover. A
    cell that was measured in part is scaled to its full area, and what lies beyond the frame was not measured.

    Args:
        mask_channel: Whether the mask is the second channel; the network then needs in_channels=2.

    Attributes:
        speckle: Width of a speckle, pixel, that the user states; None: that of a file's hits.
        beam_centre: Row and column of the beam, pixel, that the user states; None: as the file says, else by its hits.
        scale: Scale of the file whose patterns come; None for patterns that are canonical, as in training.
        hits: Numbers (n,) of the frames of that file that the scale comes from.
    """

    adjustable = ("speckle", "beam_centre")

    def __init__(self, mask_channel: bool = True) -> None:
        super().__init__(mask_channel)
        self.speckle: float | None = None
        self.beam_centre: Sequence[float] | None = None
        self.scale: FrameScale | None = None
        self.hits: NDArray[np.int64] = np.zeros(0, np.int64)

    def fit_to(
        self, patterns: PatternFile, hit_threshold: float = 5.0, device: torch.device | str = "cpu"
    ) -> list[Note]:
        """Take the scale of a file, see find_scale_and_hits, and return the notes on it."""
        found = find_scale_and_hits(patterns, self.speckle, self.beam_centre, hit_threshold, device)
        self.scale, notes, self.hits = found
        return notes

    def forward(self, batch: Batch) -> Tensor:
        """Canonical patterns (B, 2, 64, 64) of photons (B, 1, H, W) and mask, (B, 1, H, W) or one for all.

        Raises:
            UserError: There is no scale, and patterns are not of 64 x 64 pixels.
        """
        photons, mask = batch[PHOTONS], batch[MASK]
        if self.scale is None:
            if photons.shape[-2:] != (CELLS, CELLS):
                size = " x ".join(map(str, photons.shape[-2:]))
                raise UserError(
                    f"preprocess=scale_free: the patterns have {size} pixels and no scale is known; it is found when a "
                    f"file is evaluated, and training takes patterns of {CELLS} x {CELLS} cells (simulate=general)"
                )
            cells = torch.where(mask, photons, 0.0)
        else:
            cells, mask = canonical(photons, mask, self.scale)
        return self.with_mask(cells.log1p(), mask)


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
        start = [round(at + 0.5 - scale.bin * CELLS / 2) for at in scale.beam_centre]
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
