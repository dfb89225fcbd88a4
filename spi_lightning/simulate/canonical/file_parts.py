"""Parts of a simulated experiment known from a file: its mask, and its background by distance from the beam."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import torch
from torch import Tensor

from spi_lightning.physics import detector

from .detectors import DetectorRecipe
from .light import BackgroundRecipe

RING: Final = 0.5
"""Distance of the radii at which the background of a file is given, speckle widths."""


@dataclass
class KnownMask(DetectorRecipe):
    """Detector of one file, the same for every pattern; nothing of the base class is drawn.

    Attributes:
        share: (H, W) measured share of every cell, in [0, 1].
    """

    share: Tensor = field(default_factory=lambda: torch.ones(1, 1))

    def __call__(self, shape: tuple[int, int], beam: Tensor, generator: torch.Generator) -> Tensor:
        """Measured share of every cell, (B, H, W), whatever the beams (B, 2)."""
        return self.share.expand(len(beam), *shape)


@dataclass
class KnownBackground(BackgroundRecipe):
    """Background of a file and, around the particle, what comes with a hit: halo and streaks, as in the base class.

    Attributes:
        level: Photons per pixel at distances of 0, 0.5, 1, ... speckle widths from the beam, and beyond the last.
        level_spread: Standard deviation of the logarithm of the level over frames.
        speckle: Width of a speckle, cells.
        pixels: Detector pixels in a cell.
        blank_halo: Whether blank frames have halo and streaks too, as those have that pass the hit finder.
    """

    level: Sequence[float] = field(default_factory=lambda: (0.0,))
    level_spread: float = 0.0
    speckle: float = 6.0
    pixels: float = 1.0
    blank_halo: bool = True

    def __call__(self, signal: Tensor, photons: Tensor, beam: Tensor, generator: torch.Generator) -> Tensor:
        """Expected photons (B, H, W), see BackgroundRecipe."""
        photons = photons if self.blank_halo else photons * signal.flatten(1).amax(1).gt(0)
        expected = super().__call__(signal, photons, beam, generator)
        level = torch.tensor([float(one) for one in self.level]) * self.pixels
        position = detector.radius_in_pixels((signal.shape[1], signal.shape[2]), beam) / (RING * self.speckle)
        below = position.long().clamp_max(len(level) - 1)
        above = (below + 1).clamp_max(len(level) - 1)
        background = torch.lerp(level[below], level[above], (position - below).clamp(0, 1))
        strength = (self.level_spread * torch.randn(len(signal), 1, 1, generator=generator)).exp()
        return expected + strength * background
