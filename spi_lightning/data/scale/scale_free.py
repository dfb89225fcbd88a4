"""Preprocessing that brings patterns of any detector to one scale: 64 x 64 cells, a speckle of 6 cells."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spi_lightning.data.transforms import HitInput
from spi_lightning.errors import UserError
from spi_lightning.fields import MASK, PHOTONS, Batch
from spi_lightning.io.patterns.pattern_file import PatternFile
from spi_lightning.notes import Note
from spi_lightning.physics.frames.canonical import canonical
from spi_lightning.physics.frames.frame_scale import CELLS, FrameScale

from .file_scale import find_scale_and_hits


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
