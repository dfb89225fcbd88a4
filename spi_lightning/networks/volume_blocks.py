"""Parts of the 3D encoder-decoder: convolution block, leaky gradients of ReLU, and output heads."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spi_lightning.errors import UserError

from .batch_norm import SharedBatchNorm3d

Norm = Literal["batch", "instance", "none"]
NORMS: tuple[Norm, ...] = ("batch", "instance", "none")


def normalisation(norm: Norm, channels: int) -> nn.Module:
    """Normalisation layer of 3D maps (B, C, z, y, x), or the identity.

    Raises:
        UserError: The name is unknown.
    """
    if norm not in NORMS:
        raise UserError(f"network.norm={norm!r} is unknown: choose one of {', '.join(NORMS)}")
    if norm == "batch":
        return SharedBatchNorm3d(channels)
    return nn.InstanceNorm3d(channels, affine=True) if norm == "instance" else nn.Identity()


class VolumeBlock(nn.Sequential):
    """3x3x3 + LeakyReLU + norm, then 3x1x1 + 1x3x1 + 1x1x3 + LeakyReLU + norm: (B, c, z, y, x) -> (B, d, z, y, x).

    Args:
        inputs, outputs: Numbers of input and output channels.
        norm: Normalisation, ``batch`` as in the paper, ``instance`` or ``none``.
        slope: Negative slope of the leaky units, which the paper does not give.
        factorised_only: Whether to replace the 3x3x3 convolution by another 3x1x1 + 1x3x1 + 1x1x3.

    Source: Wu et al. (2021), Results, "ML model and data sets", and Fig. 1.
    """

    def __init__(
        self, inputs: int, outputs: int, norm: Norm = "batch", slope: float = 0.01, factorised_only: bool = False
    ) -> None:
        whole = [nn.Conv3d(inputs, outputs, 3, padding=1)]
        first = self._factorised(inputs, outputs) if factorised_only else whole
        super().__init__(
            *first,
            nn.LeakyReLU(slope),
            normalisation(norm, outputs),
            *self._factorised(outputs, outputs),
            nn.LeakyReLU(slope),
            normalisation(norm, outputs),
        )

    @staticmethod
    def _factorised(inputs: int, outputs: int) -> list[nn.Conv3d]:
        along_z = nn.Conv3d(inputs, outputs, (3, 1, 1), padding=(1, 0, 0))
        along_y = nn.Conv3d(outputs, outputs, (1, 3, 1), padding=(0, 1, 0))
        return [along_z, along_y, nn.Conv3d(outputs, outputs, (1, 1, 3), padding=(0, 0, 1))]


def undying_relu(values: Tensor, leak: float = 0.1) -> Tensor:
    """ReLU of (B, C, z, y, x) with a leaky gradient below zero, from which an output that is 0 everywhere can recover.

    The values are exactly those of ReLU; only the gradient below zero is ``leak`` instead of 0.
    """
    negative = values.clamp_max(0)
    return F.relu(values) + leak * (negative - negative.detach())


class Heads(nn.Module):
    """Output heads: two raw maps (B, 1, z, y, x) -> amplitude and phase (rad).

    Args:
        kind: Activations, ``relu``: as printed, amplitude >= 0 and phase >= 0; ``bounded``: sigmoid, within (0, 1), and
            pi tanh, within (-pi, pi).
        phase_scale: Factor of the phase of ``relu`` heads, rad; the paper scales phases to [0, 1] and leaves the unit
            open (2 pi would make them turns).

    Raises:
        UserError: The kind is unknown.

    Source: Wu et al. (2021), Results; the bounded ones are those of Chan et al. (2021), doi:10.1063/5.0031486.
    """

    def __init__(self, kind: Literal["relu", "bounded"] = "relu", phase_scale: float = 1.0) -> None:
        super().__init__()
        if kind not in ("relu", "bounded"):
            raise UserError(f"network.heads={kind!r} is unknown: choose relu or bounded")
        self.kind, self.phase_scale = kind, phase_scale

    def forward(self, amplitude: Tensor, phase: Tensor) -> tuple[Tensor, Tensor]:
        """Amplitude (1) and phase (rad) of raw maps, (B, 1, z, y, x) each."""
        if self.kind == "bounded":
            return amplitude.sigmoid(), torch.pi * phase.tanh()
        return undying_relu(amplitude), self.phase_scale * undying_relu(phase)
