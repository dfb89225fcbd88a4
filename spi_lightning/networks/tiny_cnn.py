"""Single-hit classifier of Shi et al. (2019) with a few hundred weights."""

from typing import Literal, cast

import torch.nn.functional as F
from torch import Tensor, nn

from spi_lightning.errors import UserError

from .radial_contrast import radial_contrast, require_mask

Variant = Literal["tied316", "standard", "no_bias"]
VARIANTS: tuple[Variant, ...] = ("tied316", "standard", "no_bias")
MAPS_AND_SIZES = ((5, 5), (3, 3), (2, 3))


class TinyCNN(nn.Module):
    """Single-hit classifier: preprocessed photons (B, C, size, size) -> logits (B,), or (B, classes).

    Three valid convolutions, each followed by a 2 x 2 maximum, take 64 pixels to 60-30-28-14-12-6; then 72 -> 2 -> 1.
    The supplement counts 316 weights, which leaves out input maps and biases. Three readings, at the default size:

    * ``tied316``: one kernel serves all input maps (their mean) and nothing has a bias, exactly the printed 316:
      5*5*5 + 3*3*3 + 2*3*3 = 170 in convolutions, 72*2 + 2 = 146 dense;
    * ``standard``: ordinary convolutions with biases, 473, most likely what the authors' Keras code built;
    * ``no_bias``: ordinary convolutions without biases, 460.

    Departure: S1 names no activation. ReLU leaves one start in ten dead (constant answer, no gradient), so all leak.

    Args:
        variant: Reading of the paper, ``tied316``, ``standard`` or ``no_bias``.
        in_channels: Channels of the input, 1, or 2 with the mask as a channel (25 or 125 weights more).
        classes: Number of classes, 1 for one logit per pattern, 5 for the first five of fields.Kind.
        size: Height and width of the input, pixel.
        slope: Negative slope of the leaky units.
        contrast: Whether the one map that is looked at is the radial_contrast of logarithm and mask, in_channels=2.

    Raises:
        UserError: The variant is unknown or the input is not ``size`` pixels square.

    Source: Shi et al. (2019), supplementary S1 and Figure S1, doi:10.1107/S2052252519001854.
    """

    def __init__(
        self,
        variant: Variant = "tied316",
        in_channels: int = 1,
        classes: int = 1,
        size: int = 64,
        slope: float = 0.1,
        contrast: bool = False,
    ) -> None:
        super().__init__()
        if variant not in VARIANTS:
            raise UserError(f"network.variant={variant!r} is unknown: choose one of {', '.join(VARIANTS)}")
        self.tied, self.size, self.slope = variant == "tied316", size, slope
        if contrast:
            require_mask(in_channels)
        self.contrast, first = contrast, 1 if contrast else in_channels
        bias = variant == "standard"
        inputs = (first, 1, 1) if self.tied else (first, 5, 3)
        self.stages = nn.ModuleList(
            nn.Conv2d(channels, maps, kernel, bias=bias)
            for channels, (maps, kernel) in zip(inputs, MAPS_AND_SIZES, strict=True)
        )
        pixels = size
        for _, kernel in MAPS_AND_SIZES:
            pixels = (pixels - kernel + 1) // 2
        if pixels < 1:
            raise UserError(f"network.size={size} is too small for TinyCNN: use 24 pixels or more")
        self.to_features = nn.Linear(2 * pixels**2, 2, bias=bias)
        self.head = nn.Sequential(nn.LeakyReLU(slope), nn.Linear(2, classes, bias=bias))
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, a=slope, nonlinearity="leaky_relu")

    def features(self, pattern: Tensor) -> Tensor:
        """Features of the penultimate layer: (B, C, size, size) -> (B, 2)."""
        if pattern.shape[-2:] != (self.size, self.size):
            raise UserError(
                f"network tiny_cnn takes {self.size} x {self.size} pixels, got {tuple(pattern.shape[-2:])}:"
                " set preprocess.bin, preprocess.crop or network.size"
            )
        if self.contrast:
            pattern = radial_contrast(pattern)
        for number, stage in enumerate(self.stages):
            if self.tied and number > 0:
                pattern = pattern.mean(dim=1, keepdim=True)
            pattern = F.max_pool2d(F.leaky_relu(stage(pattern), self.slope), 2)
        return cast(Tensor, self.to_features(pattern.flatten(1)))

    def forward(self, pattern: Tensor) -> Tensor:
        """Logits of patterns (B, C, size, size): (B,) of a single hit, or (B, classes)."""
        logits: Tensor = self.head(self.features(pattern))
        return logits.squeeze(-1) if logits.shape[-1] == 1 else logits
