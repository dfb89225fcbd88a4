"""A U-Net that removes noise from a pattern and fills in what the detector did not measure."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .unet import UNet


class HealingUNet(nn.Module):
    """Measured Fourier amplitude and mask (B, 2, H, W) -> healed Fourier amplitude (B, 1, H, W) >= 0.

    A U-Net learns what to add to the measured amplitude. Patterns of flat Ewald spheres are centrosymmetric, so what a
    gap hides is often measured on the other side: such pixels are filled from there before the network sees them, and
    a third channel tells it which pixels are still unknown.

    Args:
        widths: Maps of each level, finest first.
        dropout: See UNet.
        friedel: Fill from the opposite pixel; False where the Ewald sphere is curved.

    Source: Bellisario & Ekeberg (2024), Sect. 5, on the U-Net of their reference 21, of which no width is printed:
    widths, the residual and the filling are ours.
    """

    def __init__(self, widths: Sequence[int] = (16, 32, 64, 128), dropout: float = 0.0, friedel: bool = True) -> None:
        super().__init__()
        self.friedel = friedel
        self.unet = UNet(widths, dropout, in_channels=3, activation="none")
        nn.init.zeros_(self.unet.output.weight)  # the start is the measured pattern, filled

    def forward(self, pattern: Tensor) -> Tensor:
        """(B, 2, H, W), amplitude and mask (1 measured) -> (B, 1, H, W)."""
        amplitude, measured = pattern[:, :1], pattern[:, 1:2]
        known = measured
        if self.friedel:
            amplitude, known = fill_from_opposite(amplitude * measured, measured)
        learnt = self.unet(torch.cat([amplitude, measured, known], dim=1))
        return F.softplus(amplitude + learnt, beta=20.0)


def fill_from_opposite(amplitude: Tensor, measured: Tensor) -> tuple[Tensor, Tensor]:
    """Average each pixel with the one opposite to the centre n // 2, over those of the two that are measured.

    Args:
        amplitude: (..., H, W), 0 where not measured.
        measured: (..., H, W) float, 1 or 0.

    Returns:
        The averages, 0 where neither is measured, and where at least one is, 1 or 0. Rows and columns whose opposite
        lies outside an even array keep what they have.
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
