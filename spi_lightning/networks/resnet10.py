"""Ten-layer residual network of Han & Li (2017) for hit classification."""

from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spi_lightning.errors import UserError

from .batch_norm import SharedBatchNorm2d
from .radial_contrast import radial_contrast, require_mask


class ConvolutionBlock(nn.Sequential):
    """3 x 3 convolution without bias, batch normalisation, dropout: (B, in, H, W) -> (B, out, H / stride, W / stride).

    The ReLU that follows in the paper is applied by the caller, after the shortcut has been added where there is one.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int, dropout: float) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False),
            SharedBatchNorm2d(out_channels),
            nn.Dropout(dropout),
        )


class ResidualBlock(nn.Module):
    """Two convolutions with an identity around them; no weights in the shortcut.

    Where the width grows, the shortcut takes every ``stride``-th pixel and pads new channels with zeros: option A of
    He et al. (2016), and the only reading of the paper's "identity shortcuts" that keeps nine convolutions.
    """

    def __init__(self, channels: tuple[int, int, int], stride: int, dropout: float) -> None:
        super().__init__()
        before, middle, after = channels
        self.stride, self.new_channels = stride, after - before
        self.first = ConvolutionBlock(before, middle, stride, dropout)
        self.second = ConvolutionBlock(middle, after, 1, dropout)

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (B, C, H, W) -> (B, C', H / stride, W / stride)."""
        shortcut = maps[..., :: self.stride, :: self.stride] if self.stride > 1 else maps
        if self.new_channels:
            shortcut = F.pad(shortcut, (0, 0, 0, 0, 0, self.new_channels))
        return F.relu(self.second(F.relu(self.first(maps))) + shortcut)


class ResNet10(nn.Module):
    """Hit classifier: preprocessed photons (B, C, H, W) -> logits (B, classes), or (B,) for one class.

    A stem and (n + m - 1) / 2 residual blocks of two 3 x 3 convolutions, each conv-BN-dropout-ReLU; the first n
    convolutions have widths[0] channels, the last m widths[1]; then the average over pixels and one fully connected
    layer. At (5, 4), widths 32 and 64, one input channel and 5 classes: 167,333 parameters. Blocks in which the width
    grows halve the resolution.

    The (n, m) of the published accuracy is not in the paper's text; (5, 4) is the even split of its nine convolutions.
    Departure: ``stem_stride`` (1 in the paper) lets the stem already thin the pixels, which makes a step about as many
    times cheaper as it leaves fewer pixels.

    Args:
        depths: (n, m), convolutions of the first and the second width; n + m must be odd.
        widths: Channels of the two widths.
        classes: Number of classes, 1 (single hit or not) or 5 (the first five of fields.Kind).
        dropout: Probability of dropping a value after each batch normalisation.
        stem_stride: Stride of the first convolution, pixel.
        in_channels: Channels of the input, 1, or 2 with the mask as a channel.
        contrast: Whether the network adds a channel to logarithm and mask, see radial_contrast.

    Raises:
        UserError: n + m is even, or widths shrink.

    Source: Han & Li (2017), Sect. 4.1, Figs. 3 and 10; He et al. (2016), option A.
    """

    def __init__(
        self,
        depths: Sequence[int] = (5, 4),
        widths: Sequence[int] = (32, 64),
        classes: int = 1,
        dropout: float = 0.25,
        stem_stride: int = 1,
        in_channels: int = 1,
        contrast: bool = False,
    ) -> None:
        super().__init__()
        if len(widths) != len(depths):
            raise UserError(f"network.widths={list(widths)}: give as many as network.depths={list(depths)} has")
        channels = [width for width, depth in zip(widths, depths, strict=True) for _ in range(depth)]
        if len(channels) % 2 == 0 or min(depths) < 0:
            raise UserError(
                f"network.depths={list(depths)}: a stem and pairs of convolutions need an odd sum, e.g. [5, 4]"
            )
        if list(widths) != sorted(widths):
            raise UserError(f"network.widths={list(widths)}: widths must not shrink, e.g. [32, 64]")
        if contrast:
            require_mask(in_channels)
        self.contrast = contrast
        self.stem = ConvolutionBlock(in_channels + contrast, channels[0], stem_stride, dropout)
        steps = [(channels[i], channels[i + 1], channels[i + 2]) for i in range(0, len(channels) - 1, 2)]
        self.blocks = nn.Sequential(
            *(ResidualBlock(step, stride=2 if step[2] > step[0] else 1, dropout=dropout) for step in steps)
        )
        self.head = nn.Linear(channels[-1], classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def features(self, pattern: Tensor) -> Tensor:
        """Features of the penultimate layer: (B, C, H, W) -> (B, widths[-1])."""
        if self.contrast:
            pattern = torch.cat([pattern, radial_contrast(pattern)], dim=1)
        maps = self.blocks(F.relu(self.stem(pattern)))
        return cast(Tensor, maps.mean(dim=(2, 3)))

    def forward(self, pattern: Tensor) -> Tensor:
        """Logits of patterns (B, C, H, W): (B,) of a single hit, or (B, classes)."""
        logits: Tensor = self.head(self.features(pattern))
        return logits.squeeze(-1) if logits.shape[-1] == 1 else logits
