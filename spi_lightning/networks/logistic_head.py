"""Logistic regression on what a network that is trained already sees in a pattern."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from spi_lightning.errors import UserError


class Backbone(Protocol):
    """A trained network as a map from patterns to features.

    It is no nn.Module, so what holds it does not store its weights.

    Attributes:
        label: For readers.
        width: Number of features.
        weights_sha256: Hash of the weights, 64 hexadecimal digits.
        batch_size: Patterns that it takes at a time.
        network: What has the weights.
    """

    label: str
    width: int
    weights_sha256: str
    batch_size: int
    network: nn.Module

    @property
    def key(self) -> str:
        """Hash of all that decides the features but the patterns, 64 hexadecimal digits."""
        ...

    def __call__(self, photons: Tensor, mask: Tensor) -> Tensor:
        """Photons (B, 1, H, W) and mask (B or 1, 1, H, W) bool -> features (B, width) float32."""
        ...

    def weights_are_given(self) -> None:
        """Called when a checkpoint has brought weights for ``network``."""
        ...


class LogisticHead(nn.Module):
    """Hit classifier: photons and mask as two channels (B, 2, H, W) -> logits (B,), or (B, classes).

    The backbone makes features, one dense layer makes logits. Only that layer is trained and only that layer is stored:
    the backbone is no submodule, so a checkpoint carries the sha256 of its weights instead of the weights, and a head
    that meets another backbone than the one it was trained on refuses.

    Args:
        backbone: Photons and mask -> features.
        classes: 1 (single hit or not) or 5 (Kind's first five).
        finetune: Train the backbone too; then its weights are in the checkpoint. Future work in Han & Li, Sect. 6.

    Raises:
        UserError: When a state is loaded that was trained on another backbone.

    Source: Han & Li (2017), Sect. 4.2 and Fig. 5.
    """

    backbone_sha256: Tensor

    def __init__(self, backbone: Backbone, classes: int = 1, finetune: bool = False) -> None:
        super().__init__()
        self.backbone, self.finetune = backbone, finetune
        self._known: Tensor | None = None
        self.head = nn.Linear(backbone.width, classes)
        nn.init.zeros_(self.head.weight)  # the penalised loss is convex: any start leads to its one minimum
        nn.init.zeros_(self.head.bias)
        self.trained_backbone = backbone.network.requires_grad_().train() if finetune else None
        self.register_buffer("backbone_sha256", torch.tensor(list(bytes.fromhex(backbone.weights_sha256))).byte())

    def features(self, pattern: Tensor) -> Tensor:
        """Features of the backbone: (B, 2, H, W) -> (B, width)."""
        if self._known is not None:
            return self._known
        photons, mask = pattern[:, :1], pattern[:, 1:] > 0
        if self.finetune:
            return self.backbone(photons, mask)
        with torch.no_grad():
            return self.backbone(photons, mask)

    def forward(self, pattern: Tensor) -> Tensor:
        """Logits (B,) of a single hit, or (B, classes)."""
        return self.logits(self.features(pattern))

    def logits(self, features: Tensor) -> Tensor:
        """Features (B, width) -> logits (B,), or (B, classes)."""
        logits: Tensor = self.head(features)
        return logits.squeeze(-1) if logits.shape[-1] == 1 else logits

    @contextmanager
    def knowing(self, features: Tensor) -> Iterator[None]:
        """Within this context ``features`` answers these, (B, width), which were made from the same patterns before."""
        self._known = features
        try:
            yield
        finally:
            self._known = None

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        """Refuse a head of another backbone, unless the state brings its own."""
        stored = state_dict.get(f"{prefix}backbone_sha256")
        if stored is not None and not self.finetune and not torch.equal(stored.cpu(), self.backbone_sha256.cpu()):
            trained_on, here = (bytes(value.tolist()).hex()[:8] for value in (stored, self.backbone_sha256))
            raise UserError(
                f"this head was trained on weights whose sha256 begins {trained_on}; that of {self.backbone.label} now "
                f"begins {here}: bring the old weights back, or train the head again."
            )
        if self.finetune:
            self.backbone.weights_are_given()
        super()._load_from_state_dict(state_dict, prefix, *args)
