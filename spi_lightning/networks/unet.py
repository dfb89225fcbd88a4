"""U-Nets of Bellisario & Ekeberg (2024): density or support from a pattern, and healed patterns from measured ones."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spi_lightning.errors import UserError

from .support_encoder_decoder import require_activation, start_alive, two_convolutions


class UNet(nn.Module):
    """Pattern (B, C, H, W) -> density in (-1, 1), or logits of the support, (B, candidates, H, W).

    Two 3 x 3 convolutions at each level, 2 x 2 maxima between them; on the way back 2 x 2 up-convolutions, joined by
    the maps of the same level. Dropout stands at the two deepest levels. 31,030,593 parameters at the defaults.

    Args:
        widths: Number of maps of each level, finest first.
        dropout: Probability of dropping a value at the two deepest levels.
        in_channels, candidates, activation, logits: Input channels and output, as in SupportEncoderDecoder.

    Raises:
        UserError: The pattern cannot be halved often enough, or the activation is unknown.

    Source: Bellisario & Ekeberg (2024), Sect. 2; five levels, 2 x 2 up-convolutions and dropout 0.5 are those of the
    published program. Ronneberger et al. (2015), arXiv 1505.04597.
    """

    def __init__(
        self,
        widths: Sequence[int] = (64, 128, 256, 512, 1024),
        dropout: float = 0.5,
        in_channels: int = 1,
        candidates: int = 1,
        activation: str = "tanh",
        logits: bool = False,
    ) -> None:
        super().__init__()
        require_activation(activation)
        widths = tuple(widths)  # a list of a configuration cannot be read backwards
        self.activation, self.step = "none" if logits else activation, 2 ** (len(widths) - 1)
        deep = range(max(len(widths) - 2, 0), len(widths))
        self.down = nn.ModuleList(
            nn.Sequential(*two_convolutions(before, after), nn.Dropout(dropout if level in deep else 0.0))
            for level, (before, after) in enumerate(zip((in_channels, *widths), widths, strict=False))
        )
        pairs = list(zip(widths[:0:-1], widths[-2::-1], strict=True))
        self.widen = nn.ModuleList(nn.ConvTranspose2d(deeper, finer, 2, stride=2) for deeper, finer in pairs)
        self.up = nn.ModuleList(nn.Sequential(*two_convolutions(2 * finer, finer)) for _, finer in pairs)
        self.output = nn.Conv2d(widths[0], candidates, 1)
        start_alive(self)
        nn.init.xavier_normal_(self.output.weight)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # twice as fast on CPUs

    def features(self, pattern: Tensor) -> Tensor:
        """Features, the deepest maps averaged over pixels: (B, C, H, W) -> (B, widths[-1])."""
        return self._down(pattern)[-1].mean(dim=(2, 3))

    def forward(self, pattern: Tensor) -> Tensor:
        """Patterns (B, C, H, W) -> densities or logits (B, candidates, H, W)."""
        *levels, maps = self._down(pattern)
        for widen, up, level in zip(self.widen, self.up, reversed(levels), strict=True):
            maps = up(torch.cat([level, widen(maps)], dim=1))
        values: Tensor = self.output(maps)
        return torch.tanh(values) if self.activation == "tanh" else values

    def _down(self, pattern: Tensor) -> list[Tensor]:
        """Maps of every level, finest first."""
        if pattern.shape[-1] % self.step or pattern.shape[-2] % self.step:
            raise UserError(
                f"network unet halves {len(self.down) - 1} times: {tuple(pattern.shape[-2:])} pixels are not a multiple"
                f" of {self.step}; give fewer network.widths or patterns of another size"
            )
        levels: list[Tensor] = []
        for level in self.down:
            pattern = level(nn.functional.max_pool2d(pattern, 2) if levels else pattern)
            levels.append(pattern)
        return levels


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
    widths, the residual and the filling are not in the paper.
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
