"""3D encoder-decoder of Wu et al. (2021): amplitude and phase of a particle from its diffraction pattern."""

from collections.abc import Sequence
from typing import Any, Literal, cast

import numpy as np
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


Source = Literal["pattern", "noise", "latent"]
Size = tuple[int, int, int]
SCALES = ("maximum", "mean", "root", "log", "none")


class ComplexEncoderDecoder(nn.Module):
    """Fourier amplitudes (B, 1, Z, Y, X) -> amplitude and phase (B, 1, z, y, x) each, in a box around the origin.

    One encoder of ``levels`` blocks, each followed by a maximum over 2x2x2; two decoders that double the size before
    each block but the deepest. The weights do not depend on the sizes: one network takes 32, 64 or 128 voxels, and any
    box, to which its last maps are interpolated.

    Args:
        width: Channels of the first block, doubled at every level; 32 (not in the paper) gives 4.7 million weights.
        levels: Number of levels of the encoder; 4 takes 64 voxels to 4.
        box: Voxels of the output along z, y, x; half of the pattern along each axis if None, as in the paper.
        heads, phase_scale: Kind of the output heads and scale of the phase, see Heads.
        norm, slope, factorised_only: Options of each block, see VolumeBlock. Normalisation helps the training on
            batches and hinders the refinement of one pattern.
        source: Input of the network: ``pattern``; ``noise``: fixed noise, with the pattern in the loss alone;
            ``latent``: fixed noise into the decoders, without an encoder.
        skips: Whether to join each decoder level to the encoder level of its size, as in a U-Net.
        scale: Normalisation of patterns: divided by ``maximum`` or ``mean``, ``root`` or ``log`` of that,
            or ``none``.
        upsampling: Interpolation between levels, ``trilinear`` or ``nearest``.
        noise_seed: Seed of the fixed noise.

    Raises:
        UserError: A choice is unknown, skips have no encoder, or the box is larger than the pattern.

    Source: Wu et al. (2021), Fig. 1 and Results. Departures: ReLU heads leak backwards (undying_relu) and start above
    0, because otherwise one start in a few stays at 0.
    """

    def __init__(
        self,
        width: int = 32,
        levels: int = 4,
        box: Sequence[int] | None = None,
        heads: Literal["relu", "bounded"] = "relu",
        phase_scale: float = 1.0,
        norm: Norm = "batch",
        slope: float = 0.01,
        factorised_only: bool = False,
        source: Source = "pattern",
        skips: bool = False,
        scale: str = "maximum",
        upsampling: Literal["trilinear", "nearest"] = "trilinear",
        noise_seed: int = 0,
    ) -> None:
        super().__init__()
        _require(source, ("pattern", "noise", "latent"), "source")
        _require(scale, SCALES, "scale")
        _require(upsampling, ("trilinear", "nearest"), "upsampling")
        if skips and source == "latent":
            raise UserError("network.skips=true needs an encoder: choose network.source=pattern or noise")
        if width < 1 or levels < 2:
            raise UserError(f"network: width={width} must be 1 or more and levels={levels} 2 or more")
        self.width, self.levels, self.source, self.skips = width, levels, source, skips
        self.scale, self.upsampling, self.noise_seed = scale, upsampling, noise_seed
        self.box: Size | None = None if box is None else three(box)
        self.heads = Heads(heads, phase_scale)
        block: dict[str, Any] = {"norm": norm, "slope": slope, "factorised_only": factorised_only}
        channels = [width * 2**level for level in range(levels)]
        inputs = [1, *channels[:-1]]
        pairs = zip(inputs, channels, strict=True)
        self.encoder = nn.ModuleList([] if source == "latent" else [VolumeBlock(*pair, **block) for pair in pairs])
        self.amplitude_decoder, self.phase_decoder = (self._decoder(channels, block) for _ in range(2))
        self._noise: dict[tuple[Any, ...], Tensor] = {}
        self.reset_parameters()

    def _decoder(self, channels: list[int], block: dict[str, Any]) -> nn.ModuleList:
        """Decoder: blocks from the deepest maps to the full box, and the last convolution to one map."""
        blocks, deeper = [], channels[-1]
        for level in reversed(range(self.levels - 1)):
            joined = channels[level + 1] if self.skips else 0
            blocks.append(VolumeBlock(deeper + joined, channels[level], **block))
            deeper = channels[level]
        return nn.ModuleList([*blocks, nn.Conv3d(deeper, 1, 3, padding=1)])

    def reset_parameters(self) -> None:
        """Initialise all weights by He's normal numbers; heads start in the middle of their range."""
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, a=0.01, nonlinearity="leaky_relu")
                nn.init.zeros_(_bias(module))
            elif isinstance(module, nn.BatchNorm3d | nn.InstanceNorm3d):
                module.reset_parameters()
        for decoder in (self.amplitude_decoder, self.phase_decoder):
            last = cast(nn.Conv3d, decoder[-1])
            nn.init.normal_(last.weight, std=0.1 * last.weight[0].numel() ** -0.5)
            nn.init.constant_(_bias(last), 0.5 if self.heads.kind == "relu" else 0.0)

    def forward(self, fourier_amplitude: Tensor) -> tuple[Tensor, Tensor]:
        """Fourier amplitudes (B, 1, Z, Y, X) -> amplitude and phase (rad), (B, 1, z, y, x) each."""
        shape = three(fourier_amplitude.shape[-3:])
        box = self.box_in(shape)
        deepest, found = self._encode(fourier_amplitude, box)
        raw = (self._decode(decoder, deepest, found, box) for decoder in (self.amplitude_decoder, self.phase_decoder))
        return self.heads(*raw)  # type: ignore[no-any-return]

    def box_in(self, shape: Size) -> Size:
        """Size of the output for a pattern of this shape, voxel.

        Raises:
            UserError: The box is larger than the pattern, or the pattern too small for the number of levels.
        """
        box = self.box or three([max(1, n // 2) for n in shape])
        if any(side > n for side, n in zip(box, shape, strict=True)):
            raise UserError(f"network.box={list(box)} is larger than the pattern, {list(shape)} voxels")
        if self.source != "latent" and min(shape) < 2**self.levels:
            raise UserError(
                f"network.levels={self.levels} needs patterns of {2**self.levels} voxels or more, got {list(shape)}"
            )
        return box

    def _encode(self, pattern: Tensor, box: Size) -> tuple[Tensor, list[Tensor]]:
        """Deepest maps (B, C, z, y, x), and those of each level before its maximum is taken."""
        if self.source == "latent":
            channels = self.width * 2 ** (self.levels - 1)
            return self._fixed_noise(pattern, (channels, *sizes_of(box, self.levels - 1))), []
        maps = self._scaled(pattern) if self.source == "pattern" else self._fixed_noise(pattern, pattern.shape[1:])
        found = []
        for block in self.encoder:
            maps = block(maps)
            found.append(maps)
            maps = F.max_pool3d(maps, 2)
        return maps, found

    def _decode(self, decoder: nn.ModuleList, maps: Tensor, found: list[Tensor], box: Size) -> Tensor:
        for level, block in zip(reversed(range(self.levels - 1)), decoder[:-1], strict=True):
            size = sizes_of(box, level)
            maps = self._resized(maps, size)
            if self.skips:
                maps = torch.cat([maps, self._resized(found[level + 1], size)], dim=1)
            maps = block(maps)
        raw: Tensor = decoder[-1](self._resized(maps, box))
        return raw

    def _resized(self, maps: Tensor, size: Size) -> Tensor:
        if maps.shape[-3:] == size:
            return maps
        align = False if self.upsampling == "trilinear" else None
        return F.interpolate(maps, size=size, mode=self.upsampling, align_corners=align)

    def _scaled(self, pattern: Tensor) -> Tensor:
        """Normalised patterns (B, 1, Z, Y, X), see ``scale``."""
        if self.scale == "none":
            return pattern
        axes = tuple(range(1, pattern.ndim))
        tiny = torch.finfo(pattern.dtype).tiny
        if self.scale == "mean":
            return pattern / pattern.mean(axes, keepdim=True).clamp_min(tiny)
        pattern = pattern / pattern.amax(axes, keepdim=True).clamp_min(tiny)
        if self.scale == "root":
            return pattern.sqrt()
        return torch.log1p(1e3 * pattern) if self.scale == "log" else pattern

    def _fixed_noise(self, like: Tensor, shape: Sequence[int]) -> Tensor:
        """Fixed noise (B, *shape), the same at every call."""
        key = (tuple(shape), like.device, like.dtype)
        if key not in self._noise:
            drawn = np.random.default_rng(self.noise_seed).standard_normal(shape)  # torch's own cannot be inside vmap
            self._noise[key] = torch.from_numpy(drawn).to(like.device, like.dtype)
        return self._noise[key].expand(len(like), *shape)


def three(sizes: Sequence[int]) -> Size:
    """Three whole numbers as a tuple.

    Raises:
        UserError: There are not three numbers, or one is below 1.
    """
    if len(sizes) != 3 or min(sizes) < 1:
        raise UserError(f"network.box={list(sizes)}: give three whole numbers for z, y, x, 1 or more")
    return int(sizes[0]), int(sizes[1]), int(sizes[2])


def sizes_of(box: Size, level: int) -> Size:
    """Size of the maps ``level`` halvings above the box, rounded up."""
    return three([-(-side // 2**level) for side in box])


def _bias(module: nn.Module) -> Tensor:
    bias = module.bias
    assert isinstance(bias, Tensor)
    return bias


def _require(value: str, choices: Sequence[str], name: str) -> None:
    if value not in choices:
        raise UserError(f"network.{name}={value!r} is unknown: choose one of {', '.join(choices)}")
