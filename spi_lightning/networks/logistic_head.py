"""Logistic regression on the features of a pretrained network."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from spi_lightning.errors import UserError


class Backbone(Protocol):
    """Pretrained network as a map from patterns to features; not an nn.Module, so that its weights are not stored.

    Attributes:
        label: Name for reports and errors.
        width: Number of features per pattern.
        weights_sha256: Hash of the weights, 64 hexadecimal digits.
        batch_size: Number of patterns processed at a time.
        network: Module that holds the weights.
    """

    label: str
    width: int
    weights_sha256: str
    batch_size: int
    network: nn.Module

    @property
    def key(self) -> str:
        """Hash of everything but the patterns that decides the features, 64 hexadecimal digits."""
        ...

    def __call__(self, photons: Tensor, mask: Tensor) -> Tensor:
        """Photons (B, 1, H, W) and mask (B or 1, 1, H, W) bool -> features (B, width) float32."""
        ...

    def weights_loaded(self) -> None:
        """Hook after the weights of ``network`` were loaded from a checkpoint."""
        ...


class LogisticHead(nn.Module):
    """Hit classifier: photons and mask as two channels (B, 2, H, W) -> logits (B,), or (B, classes).

    One dense layer on the features of a backbone. Only this layer is trained and stored: the backbone is not a
    submodule, so a checkpoint holds the sha256 of its weights instead of the weights, and loading refuses another
    backbone than that of the training.

    Args:
        backbone: Map from photons and mask to features.
        classes: Number of classes, 1 (single hit or not) or 5 (the first five of fields.Kind).
        finetune: Whether to train the backbone too and store its weights; future work in Han & Li (2017), Sect. 6.

    Raises:
        UserError: A loaded state was trained on another backbone.

    Source: Han & Li (2017), Sect. 4.2 and Fig. 5.
    """

    backbone_sha256: Tensor

    def __init__(self, backbone: Backbone, classes: int = 1, finetune: bool = False) -> None:
        super().__init__()
        self.backbone, self.finetune = backbone, finetune
        self._known: Tensor | None = None
        self.head = nn.Linear(backbone.width, classes)
        nn.init.zeros_(self.head.weight)  # the penalised loss is convex: any start leads to its only minimum
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
        """Logits of patterns (B, 2, H, W): (B,) of a single hit, or (B, classes)."""
        return self.logits(self.features(pattern))

    def logits(self, features: Tensor) -> Tensor:
        """Features (B, width) -> logits (B,), or (B, classes)."""
        logits: Tensor = self.head(features)
        return logits.squeeze(-1) if logits.shape[-1] == 1 else logits

    @contextmanager
    def knowing(self, features: Tensor) -> Iterator[None]:
        """Context in which ``features`` returns these features (B, width), computed before from the same patterns."""
        self._known = features
        try:
            yield
        finally:
            self._known = None

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        """Refuse the state of a head on another backbone, unless it holds the weights of its own."""
        stored = state_dict.get(f"{prefix}backbone_sha256")
        if stored is not None and not self.finetune and not torch.equal(stored.cpu(), self.backbone_sha256.cpu()):
            trained_on, here = (bytes(value.tolist()).hex()[:8] for value in (stored, self.backbone_sha256))
            raise UserError(
                f"this head was trained on weights whose sha256 begins {trained_on}; that of {self.backbone.label} now "
                f"begins {here}: restore the old weights, or train the head again"
            )
        if self.finetune:
            self.backbone.weights_loaded()
        super()._load_from_state_dict(state_dict, prefix, *args)
