"""Logistic head on a frozen backbone: VGG16, or a network of this project in its place."""

from collections.abc import Sequence
from typing import Any

from spi_lightning.errors import UserError
from spi_lightning.networks.logistic_head import LogisticHead

from .backbone import PENULTIMATE, STAND_IN
from .checkpoint import FrozenCheckpoint
from .vgg16 import FrozenVGG16


def logistic_head(
    weights: str | None = "auto",
    backbone: str | None = None,
    layers: Sequence[str] | None = None,
    classes: int = 1,
    finetune: bool = False,
    **vgg16: Any,
) -> LogisticHead:
    """Logistic head on features of frozen VGG16, or of a network of this project.

    Args:
        weights: Weights of VGG16, see FrozenVGG16; None: no VGG16.
        backbone: Run folder or checkpoint of another backbone with weights=None, see FrozenCheckpoint.
        layers: Layers of the backbone; None: fc6 and fc7 of VGG16, the penultimate layer of another backbone.
        classes, finetune: Number of classes and training of the backbone, as in LogisticHead.
        **vgg16: Further options of FrozenVGG16; another backbone has none and keeps its own preprocessing.

    Raises:
        UserError: Both or neither of ``weights`` and ``backbone`` are given, or as the two backbones.
    """
    if (weights is None) == (backbone is None):
        choice = f"network.weights={weights} and network.backbone={backbone}" if weights else "neither network.weights"
        raise UserError(f"{choice}{'' if weights else ' nor network.backbone'}: choose one; a stand-in: {STAND_IN}")
    if backbone is not None:
        return LogisticHead(FrozenCheckpoint(backbone, layers or (PENULTIMATE,)), classes, finetune)
    frozen = FrozenVGG16(str(weights), layers or ("fc6", "fc7"), weights_from_checkpoint=finetune, **vgg16)
    if finetune:
        frozen.load()
    return LogisticHead(frozen, classes, finetune)
