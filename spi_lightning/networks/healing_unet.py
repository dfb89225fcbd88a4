"""Healing network: a U-Net for denoising of patterns and inpainting of unmeasured pixels."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .unet import UNet


class HealingUNet(nn.Module):
    """Measured Fourier amplitude and mask (B, 2, H, W) -> healed Fourier amplitude (B, 1, H, W) >= 0.

    A U-Net predicts the correction of the measured amplitude. Patterns of flat Ewald spheres are centrosymmetric, so
    pixels in a gap are first filled from their Friedel mates where these were measured; a third channel marks the
    pixels that are still unknown.

    Args:
        widths: Number of maps of each level, finest first.
        dropout: Probability of dropping a value at the two deepest levels.
        friedel: Whether to fill from the opposite pixel; False where the Ewald sphere is curved.

    Source: Bellisario & Ekeberg (2024), Sect. 5, on the U-Net of their reference 21, of which no width is printed:
    widths, the residual and the filling are ours.
    """

    def __init__(self, widths: Sequence[int] = (16, 32, 64, 128), dropout: float = 0.0, friedel: bool = True) -> None:
        super().__init__()
        self.friedel = friedel
        self.unet = UNet(widths, dropout, in_channels=3, activation="none")
        nn.init.zeros_(self.unet.output.weight)  # the initial output is the measured pattern, filled

    def forward(self, pattern: Tensor) -> Tensor:
        """Amplitude and mask (1 measured), (B, 2, H, W) -> healed amplitude (B, 1, H, W)."""
        amplitude, measured = pattern[:, :1], pattern[:, 1:2]
        known = measured
        if self.friedel:
            amplitude, known = fill_from_opposite(amplitude * measured, measured)
        learnt = self.unet(torch.cat([amplitude, measured, known], dim=1))
        return F.softplus(amplitude + learnt, beta=20.0)


def fill_from_opposite(amplitude: Tensor, measured: Tensor) -> tuple[Tensor, Tensor]:
    """Average of each pixel and its Friedel mate about the centre n // 2, over the measured ones of the two.

    Args:
        amplitude: (..., H, W) float, 0 where not measured.
        measured: (..., H, W) float, 1 where measured, else 0.

    Returns:
        The averages, 0 where neither is measured, and where at least one is, 1 or 0. Rows and columns whose opposite
        lies outside an even array stay as they are.
    """
    weight = measured + opposite(measured)
    return (amplitude + opposite(amplitude)) / weight.clamp(min=1), weight.clamp(max=1)


def opposite(pattern: Tensor) -> Tensor:
    """Value at -q for every q, (..., H, W); 0 where -q lies outside: row and column 0 of even arrays."""
    height, width = pattern.shape[-2:]
    flipped = pattern.flip((-2, -1))
    if height % 2 == 0:
        flipped = F.pad(flipped[..., :-1, :], (0, 0, 1, 0))
    if width % 2 == 0:
        flipped = F.pad(flipped[..., :-1], (1, 0, 0, 0))
    return flipped
