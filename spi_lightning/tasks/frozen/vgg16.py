"""VGG16 pretrained on photographs as a frozen backbone (Han & Li, 2017, Sect. 4.2)."""

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from spi_lightning.data.rgb8 import ToRGB8
from spi_lightning.errors import UserError
from spi_lightning.io.download import VGG16_IMAGENET, find_published, read_weights
from spi_lightning.networks.vgg16 import LAYERS, VGG16

from .backbone import STAND_IN, FrozenBackbone, activations

_log = logging.getLogger(__name__)


class FrozenVGG16(FrozenBackbone):
    """Frozen VGG16: photons -> 8-bit image of 224 x 224 -> fc6 and fc7, 8,192 features.

    Options where the paper leaves a choice: features after or before their ReLU (``relu``; by default after, the input
    of the next layer), and those of ToRGB8.

    Args:
        weights: Source of the weights: ``auto`` (this project's cache, that of torch.hub, then a download), a path, or
            ``random`` or ``random:SEED``, for tests, which must not be reported as ImageNet.
        layers: Layers to concatenate, of ``conv1_1`` to ``conv5_3``, ``fc6``, ``fc7``; maps are averaged over pixels.
        relu: Features ``after`` or ``before`` the ReLU of their layer.
        any_weights: Whether to accept a path of any sha256, e.g. of a VGG16 trained on other images.
        batch_size: Number of images processed at a time; one needs 0.1 GB.
        widths, hidden: Sizes of the network, as in networks.VGG16; other than the default only with random weights.
        weights_from_checkpoint: Whether missing weights are accepted, since a checkpoint will hold them.
        **view: Further options, those of ToRGB8.

    Raises:
        UserError: The weights are missing or do not match, or an option is unknown. The weights are found and hashed
            here, but loaded at first use.
    """

    options_of = ToRGB8

    def __init__(
        self,
        weights: str = "auto",
        layers: Sequence[str] = ("fc6", "fc7"),
        relu: str = "after",
        any_weights: bool = False,
        batch_size: int = 8,
        widths: Sequence[int] = (64, 128, 256, 512, 512),
        hidden: int = 4096,
        weights_from_checkpoint: bool = False,
        **view: Any,
    ) -> None:
        if relu not in ("after", "before"):
            raise UserError(f"network.relu={relu} is unknown: choose after or before")
        self.relu, self._shape, self._weights = relu, (tuple(widths), hidden), weights
        self._file: Path | None = None
        self._missing: UserError | None = None
        try:
            label, sha256 = self._find(any_weights)
        except UserError as error:
            if not weights_from_checkpoint:
                raise
            self._missing, label, sha256 = error, "VGG16", "00" * 32
        with torch.device("meta"):
            network = VGG16(*self._shape)
        image = ToRGB8(**view)
        settings = {"relu": relu, "widths": list(widths), "hidden": hidden, **image.settings}
        super().__init__(image, network, layers, label, sha256, settings, batch_size)

    def load(self) -> None:
        """Load the weights, unless they are loaded."""
        if not next(self.network.parameters()).is_meta:
            return
        if self._file is not None:
            self.network.take(read_weights(self._file), self._file)  # type: ignore[operator]
        else:
            self.network.to_empty(device="cpu")
            if self._missing is None:
                self.network.randomise(self._seed())  # type: ignore[operator]
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # 1.4 times as fast on a CPU

    def weights_loaded(self) -> None:
        """Accept the loaded weights where none were found before."""
        self._missing = None

    def _find(self, any_weights: bool) -> tuple[str, str]:
        """Label and sha256 of the weights."""
        if self._weights.partition(":")[0] == "random":
            label = f"VGG16 with random weights (seed {self._seed()})"
            _log.warning("%s: for trying things out only, its features mean nothing", label)
            return label, hashlib.sha256(b"random %d" % self._seed()).hexdigest()
        try:
            self._file, sha256 = find_published(VGG16_IMAGENET, self._weights, any_weights)
        except UserError as error:
            way = "network.weights=PATH; with method=vgg16: +settings.vgg16.backbone.weights=PATH"
            raise UserError(f"{str(error).rstrip('.')} ({way}); a stand-in: {STAND_IN}") from error
        imagenet = sha256.startswith(VGG16_IMAGENET.sha256)
        return "VGG16 (ImageNet)" if imagenet else f"VGG16 ({self._file.name})", sha256

    def _prepare(self, device: torch.device) -> None:
        if self._missing is not None:
            raise self._missing
        self.load()
        super()._prepare(device)

    def _activations(self, image: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        modules = {name: self._module(name) for name in layers}
        found = activations(self.network, image, modules.values())
        return {name: found[module] for name, module in modules.items()}

    def _module(self, layer: str) -> str:
        """Name of the module whose output is the layer: the layer itself, or the ReLU after it."""
        if layer not in LAYERS:
            raise UserError(f"network.layers: VGG16 has no layer {layer}: choose among {', '.join(LAYERS)}")
        module, _, position = LAYERS[layer].partition(".")
        return f"{module}.{int(position) + (self.relu == 'after')}"

    def _measure_width(self) -> int:
        """Number of features from the sizes of the layers, before the weights are loaded."""
        (widths, hidden), rooms = self._shape, {layer: self._module(layer) for layer in self.layers}
        return sum(hidden if layer.startswith("fc") else widths[int(layer[4]) - 1] for layer in rooms)

    def _seed(self) -> int:
        seed = self._weights.partition(":")[2] or "0"
        if not seed.isdecimal():
            raise UserError(f"network.weights={self._weights}: the seed must be a whole number, e.g. random:1")
        return int(seed)
