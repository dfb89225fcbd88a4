"""Frozen network as a fixed map from patterns to features, the activations of its layers."""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from spi_lightning.errors import UserError
from spi_lightning.fingerprint import fingerprint


def activations(network: nn.Module, pattern: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
    """Outputs of selected modules of a network.

    Args:
        network: Network to run once.
        pattern: Input of the network, (B, C, H, W).
        layers: Names of modules, as in its state dict: ``blocks.2``, ``features.0``.

    Returns:
        Output of each module by name, (B, C, h, w) or (B, d).

    Raises:
        UserError: There is no module of that name.
    """
    found: dict[str, Tensor] = {}

    def keep(name: str) -> Any:
        def hook(module: nn.Module, arguments: Any, output: Tensor) -> None:
            found[name] = output

        return hook

    modules = dict(network.named_modules())
    wanted = list(layers)
    for name in wanted:
        if name not in modules:
            known = ", ".join(name for name, module in modules.items() if name and name.count(".") < 2)
            raise UserError(f"network.layers: {type(network).__name__} has no layer {name}: choose among {known}")
    hooks = [modules[name].register_forward_hook(keep(name)) for name in wanted]
    try:
        network(pattern)
    finally:
        for hook in hooks:
            hook.remove()
    return {name: found[name] for name in wanted}


PENULTIMATE = "penultimate"
STAND_IN = "network.weights=null network.backbone=runs/han_resnet10 (any run or checkpoint), or method=frozen_resnet10"


class FrozenBackbone:
    """Frozen map from photons and mask to features, computed in batches.

    It is not an nn.Module, so that its weights are neither stored nor trained.

    Args:
        view: Map from photons and mask (B, 1, H, W) to the input of the network.
        network: Network with its final weights.
        layers: Modules whose outputs are concatenated to features; maps are averaged over their pixels.
            ``penultimate`` is network.features.
        label: Name for reports and errors.
        weights_sha256: Hash that identifies the weights, 64 hexadecimal digits.
        settings: All other settings that decide the features, as plain containers.
        batch_size: Number of patterns processed at a time.
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
            raise UserError("network.layers=[] leaves no features: name one layer or more")
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

    def weights_loaded(self) -> None:
        """Hook after weights were loaded from a checkpoint; nothing to do here."""

    def maps(self, photons: Tensor, mask: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        """Activations of layers by name, (B, C, h, w) or (B, d), as in Han & Li (2017), Fig. 13."""
        self._prepare(photons.device)
        with torch.no_grad():
            return self._activations(self.view(photons, mask.expand(photons.shape)), layers)

    def _prepare(self, device: torch.device) -> None:
        """Move the network with its weights to the device of the patterns."""
        self.view.to(device)
        if next(self.network.parameters()).device != device:
            self.network.to(device)

    def _describe(self, image: Tensor) -> Tensor:
        """Features (B, width) of network inputs (B, C, h, w)."""
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
