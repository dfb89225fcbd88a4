"""Encoder-decoder of Bellisario & Ekeberg (2024): density or support from a diffraction pattern."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from spi_lightning.errors import UserError

ACTIVATIONS = ("tanh", "none")


def two_convolutions(in_channels: int, out_channels: int) -> list[nn.Module]:
    """Two 3 x 3 convolutions that keep the pixels, each followed by a ReLU."""
    return [
        nn.Conv2d(in_channels, out_channels, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(out_channels, out_channels, 3, padding=1),
        nn.ReLU(),
    ]


def require_activation(activation: str) -> None:
    """Refuse an unknown activation of the output; UserError."""
    if activation not in ACTIVATIONS:
        raise UserError(f"network.activation={activation} is unknown: choose one of {', '.join(ACTIVATIONS)}")


def start_alive(network: nn.Module) -> None:
    """Initialise weights for ReLUs so that neither activations nor gradients fade; biases start at 0."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)


class SupportEncoderDecoder(nn.Module):
    """Pattern (B, C, size, size) -> density in (-1, 1), or logits of the support, (B, candidates, size, size).

    Six convolutions with three 2 x 2 maxima lead to size / 8 pixels, two dense layers map
    reciprocal to real space, six convolutions with three doublings lead back; one more gives the output. All are
    3 x 3, stride 1 (the printed "stride 3" does not lead from 128 to 16 pixels), ReLU; the output is a tanh. At the
    defaults 14 layers and the output hold 19,721,217 parameters, 16,842,880 of them in the dense layers.

    An object and its twin have the same pattern, and convolutions are equivariant under inversion with flipped kernels:
    only the dense layers can choose one of the two.

    Args:
        size: Height and width of the pattern, pixel; a multiple of 8.
        widths: Number of maps at full, half and quarter resolution.
        latent: Number of nodes of the first dense layer.
        in_channels: Channels of the input, see data.PatternInput.
        candidates: Number of alternative outputs, for tasks that take the best of them.
        activation: Activation of a density, ``tanh`` (the paper's) or ``none``.
        logits: Whether the output is logits, which have no activation, instead of densities.

    Raises:
        UserError: The size is impossible, the activation unknown, or the pattern has another size.

    Source: Bellisario & Ekeberg (2024), Sect. 2 and Fig. 2.
    """

    def __init__(
        self,
        size: int = 128,
        widths: Sequence[int] = (64, 128, 256),
        latent: int = 128,
        in_channels: int = 1,
        candidates: int = 1,
        activation: str = "tanh",
        logits: bool = False,
    ) -> None:
        super().__init__()
        require_activation(activation)
        step = 2 ** len(widths)
        if size < step or size % step:
            raise UserError(f"network.size={size}: {len(widths)} halvings need a multiple of {step} pixels")
        self.size, self.activation = size, "none" if logits else activation
        self.small = (widths[-1], size // step, size // step)
        nodes = self.small[0] * self.small[1] * self.small[2]
        encoder: list[nn.Module] = []
        for before, after in zip((in_channels, *widths), widths, strict=False):
            encoder += [*two_convolutions(before, after), nn.MaxPool2d(2)]
        self.encoder = nn.Sequential(*encoder)
        self.dense = nn.Sequential(nn.Linear(nodes, latent), nn.ReLU(), nn.Linear(latent, nodes), nn.ReLU())
        decoder: list[nn.Module] = []
        for before, after in zip((widths[-1], *widths[::-1]), widths[::-1], strict=False):
            decoder += [*two_convolutions(before, after), nn.Upsample(scale_factor=2)]
        self.decoder = nn.Sequential(*decoder)
        self.output = nn.Conv2d(widths[0], candidates, 3, padding=1)
        start_alive(self)
        nn.init.xavier_normal_(self.output.weight)  # a tanh must not start saturated
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # twice as fast on CPUs

    def features(self, pattern: Tensor) -> Tensor:
        """Features of the bottleneck: (B, C, size, size) -> (B, latent)."""
        if pattern.shape[-2:] != (self.size, self.size):
            raise UserError(
                f"network support_encoder_decoder takes {self.size} x {self.size} pixels, got"
                f" {tuple(pattern.shape[-2:])}: train with network.size of that edge, or cut or bin"
                " the patterns to the network's"
            )
        return cast(Tensor, self.dense[1](self.dense[0](self.encoder(pattern).flatten(1))))

    def forward(self, pattern: Tensor) -> Tensor:
        """Patterns (B, C, size, size) -> densities or logits (B, candidates, size, size)."""
        small = self.dense[3](self.dense[2](self.features(pattern))).unflatten(1, self.small)
        values: Tensor = self.output(self.decoder(small))
        return torch.tanh(values) if self.activation == "tanh" else values
