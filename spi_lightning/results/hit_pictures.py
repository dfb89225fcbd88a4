"""Patterns on the page of an evaluation of hits: galleries, occlusion maps and activations of layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spi_lightning.summary import Summarised


@dataclass(frozen=True, repr=False)
class Gallery(Summarised):
    """Patterns displayed on the page.

    Attributes:
        choices: Title of each gallery -> frame numbers, (n,) each.
        frame: (n,) frames stored, sorted.
        photons: (n, h, w) float32 counts, perhaps binned.
        mask: (h, w) or (n, h, w) bool, True = measured.
        beam_centre: (n, 2) row, column in pixels of ``photons``; NaN where unknown.
        binned: Detector pixels per pixel of ``photons`` and axis.
    """

    choices: dict[str, NDArray[np.int64]]
    frame: NDArray[np.int64]
    photons: NDArray[np.float32]
    mask: NDArray[np.bool_]
    beam_centre: NDArray[np.float32]
    binned: int

    def of(self, frames: Sequence[int]) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.float32]]:
        """Photons (k, h, w), masks (k, h, w) and beam centres (k, 2) of some of the stored frames, in their order."""
        row = np.searchsorted(self.frame, frames)
        photons = self.photons[row]
        mask = np.broadcast_to(self.mask if self.mask.ndim == 2 else self.mask[row], photons.shape)
        return photons, mask, self.beam_centre[row]

    @property
    def unit(self) -> str:
        """Unit of ``photons`` in words."""
        return f"photons per {'pixel' if self.binned == 1 else f'{self.binned} × {self.binned} pixels'}"


@dataclass(frozen=True, repr=False)
class Occlusion(Summarised):
    """Change of a network's answer by covered squares of some frames.

    Attributes:
        name: Name of the network.
        frame: (n,) int64 numbers of the frames.
        photons: (n, H, W) float32 counts.
        mask: (n, H, W) bool, True = measured.
        change: (n, H, W) float32, log odds of a single hit with the pixel in sight less those with it covered, mean of
            all squares that cover it: where it is positive, the photons there are evidence of a single hit.
    """

    name: str
    frame: NDArray[np.int64]
    photons: NDArray[np.float32]
    mask: NDArray[np.bool_]
    change: NDArray[np.float32]


@dataclass(frozen=True, repr=False)
class LayerMaps(Summarised):
    """One frame in the convolutions of a network.

    Attributes:
        name: Name of the network.
        frame: Number of the frame.
        photons: (H, W) float32 counts.
        maps: Name of a convolution -> (C, h, w) float32 output.
    """

    name: str
    frame: int
    photons: NDArray[np.float32]
    maps: dict[str, NDArray[np.float32]]
