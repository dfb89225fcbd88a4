"""A classifier to be trained on what a trained network sees: VGG16, or a stand-in."""

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
    """A logistic head on frozen VGG16 features, or on those of a stand-in.

    Args:
        weights: Of VGG16, see FrozenVGG16; None: no VGG16.
        backbone: With weights=None: run folder or checkpoint of the stand-in, see FrozenCheckpoint.
        layers: Of the backbone; None: fc6 and fc7 of VGG16, the penultimate values of a stand-in.
        classes, finetune: Of LogisticHead.
        **vgg16: Further options of FrozenVGG16; a stand-in has none and sees patterns as it did when it was trained.

    Raises:
        UserError: Both or neither of weights and backbone, and those of the two backbones.
    """
    if (weights is None) == (backbone is None):
        said = f"network.weights={weights} and network.backbone={backbone}" if weights else "neither network.weights"
        raise UserError(f"{said}{'' if weights else ' nor network.backbone'}: choose one; a stand-in: {STAND_IN}.")
    if backbone is not None:
        return LogisticHead(FrozenCheckpoint(backbone, layers or (PENULTIMATE,)), classes, finetune)
    frozen = FrozenVGG16(str(weights), layers or ("fc6", "fc7"), given_later=finetune, **vgg16)
    if finetune:
        frozen.load()
    return LogisticHead(frozen, classes, finetune)
