"""A trained network, whoever trained it, as a fixed map from patterns to features."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from spi_lightning.errors import UserError
from spi_lightning.fingerprint import fingerprint
from spi_lightning.networks.activations import activations

PENULTIMATE = "penultimate"
STAND_IN = "network.weights=null network.backbone=runs/han_resnet10 (any run or checkpoint), or method=frozen_resnet10"


class FrozenBackbone:
    """Photons and mask -> features, a few patterns at a time.

    It is a plain object, no nn.Module: what holds it does not store its weights, and training does not reach it.

    Args:
        view: Photons and mask (B, 1, H, W) -> what the network sees.
        network: With the weights it keeps.
        layers: Modules whose outputs are the features, one after another; maps are averaged over their pixels.
            ``penultimate`` is what the network itself calls its features.
        label: For readers.
        weights_sha256: Names the weights.
        settings: All else that decides the features, as plain containers.
        batch_size: Patterns at a time.
    """

    def __init__(
        self,
        view: nn.Module,
        network: nn.Module,
        layers: Sequence[str],
        label: str,
        weights_sha256: str,
        settings: dict[str, Any],
        batch_size: int,
    ) -> None:
        if not layers:
            raise UserError("network.layers=[] leaves no features: name one layer or more.")
        self.view, self.network = view.eval(), network.eval().requires_grad_(False)
        self.layers, self.label, self.weights_sha256 = list(layers), label, weights_sha256
        self.settings, self.batch_size = {**settings, "layers": self.layers}, batch_size
        self.width = self._measure_width()

    @property
    def key(self) -> str:
        """Fingerprint of everything that decides the features but the patterns."""
        return fingerprint(self.weights_sha256, self.settings)

    def __call__(self, photons: Tensor, mask: Tensor) -> Tensor:
        """Photons (B, 1, H, W) and mask (B or 1, 1, H, W) bool -> features (B, width) float32."""
        self._prepare(photons.device)
        masks = mask.expand(photons.shape)
        parts = [
            self._describe(self.view(photons[start : start + self.batch_size], masks[start : start + self.batch_size]))
            for start in range(0, len(photons), self.batch_size)
        ]
        return torch.cat(parts) if parts else photons.new_zeros(0, self.width)

    def weights_are_given(self) -> None:
        """Somebody has filled the network with weights of its own; nothing to do where it has always had some."""

    def maps(self, photons: Tensor, mask: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        """What some layers answer to some patterns, name -> (B, C, h, w) or (B, d): Han & Li (2017), Fig. 13."""
        self._prepare(photons.device)
        with torch.no_grad():
            return self._activations(self.view(photons, mask.expand(photons.shape)), layers)

    def _prepare(self, device: torch.device) -> None:
        """Have the network, with its weights, where the patterns are."""
        self.view.to(device)
        if next(self.network.parameters()).device != device:
            self.network.to(device)

    def _describe(self, image: Tensor) -> Tensor:
        """What the network sees -> its features (B, width)."""
        values = self._activations(image, self.layers).values()
        return torch.cat([value.mean(dim=(2, 3)) if value.ndim == 4 else value for value in values], dim=1)

    def _activations(self, image: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        wanted = activations(self.network, image, [name for name in layers if name != PENULTIMATE])
        if PENULTIMATE in layers:
            wanted[PENULTIMATE] = self.network.features(image)  # type: ignore[operator]
        return {name: wanted[name] for name in layers}

    def _measure_width(self) -> int:
        """Number of features, from one blank input of the size that the network takes."""
        channels = next(m.in_channels for m in self.network.modules() if isinstance(m, nn.Conv2d))
        edge = int(getattr(self.network, "size", 64))
        with torch.no_grad():
            return self._describe(torch.zeros(1, channels, edge, edge)).shape[1]
