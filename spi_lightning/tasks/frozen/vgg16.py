"""VGG16, trained on photographs, as a fixed map from patterns to features (Han & Li, 2017, Sect. 4.2)."""

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from spi_lightning.data.rgb8 import EightBit
from spi_lightning.errors import UserError
from spi_lightning.io.published_weights import VGG16_IMAGENET, find_published, read_weights
from spi_lightning.networks.activations import activations
from spi_lightning.networks.vgg16 import LAYERS, VGG16

from .backbone import STAND_IN, FrozenBackbone

_log = logging.getLogger(__name__)


class FrozenVGG16(FrozenBackbone):
    """VGG16 as a fixed map: photons -> 8-bit image of 224 x 224 -> fc6 and fc7, 8,192 features.

    Open in the paper, so options here: features after or before their ReLU (``relu``; after by default, as the next
    layer sees them), and those of EightBit.

    Args:
        weights: ``auto`` (this project's cache, that of torch.hub, then a download), a path, or ``random`` or
            ``random:SEED``, which is for trying the plumbing and must not be reported as ImageNet.
        layers: Of ``conv1_1`` ... ``conv5_3``, ``fc6``, ``fc7``; one after another; maps are averaged over pixels.
        relu: ``after`` or ``before``.
        any_weights: Take a path whatever its sha256, e.g. a VGG16 that was trained on something else.
        batch_size: Images at a time; one needs 0.1 GB.
        widths, hidden: As in networks.VGG16; narrower only with random weights.
        given_later: Do without the weights if they cannot be had, because a checkpoint will bring its own.
        **view: Options of EightBit.

    Raises:
        UserError: The weights are missing, are others or do not fit; an option is unknown. The weights are looked for
            and hashed here, but loaded when first used.
    """

    options_of = EightBit

    def __init__(
        self,
        weights: str = "auto",
        layers: Sequence[str] = ("fc6", "fc7"),
        relu: str = "after",
        any_weights: bool = False,
        batch_size: int = 8,
        widths: Sequence[int] = (64, 128, 256, 512, 512),
        hidden: int = 4096,
        given_later: bool = False,
        **view: Any,
    ) -> None:
        if relu not in ("after", "before"):
            raise UserError(f"network.relu={relu} is unknown: choose after or before.")
        self.relu, self._shape, self._weights = relu, (tuple(widths), hidden), weights
        self._file: Path | None = None
        self._missing: UserError | None = None
        try:
            label, sha256 = self._find(any_weights)
        except UserError as error:
            if not given_later:
                raise
            self._missing, label, sha256 = error, "VGG16", "00" * 32
        with torch.device("meta"):
            network = VGG16(*self._shape)
        image = EightBit(**view)
        settings = {"relu": relu, "widths": list(widths), "hidden": hidden, **image.settings}
        super().__init__(image, network, layers, label, sha256, settings, batch_size)

    def load(self) -> None:
        """Load the weights, unless they are there."""
        if not next(self.network.parameters()).is_meta:
            return
        if self._file is not None:
            self.network.take(read_weights(self._file), self._file)  # type: ignore[operator]
        else:
            self.network.to_empty(device="cpu")
            if self._missing is None:
                self.network.randomise(self._seed())  # type: ignore[operator]
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # 1.4 times as fast on a CPU

    def weights_are_given(self) -> None:
        """Forget that no weights were found."""
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
            raise UserError(f"{str(error).rstrip('.')} ({way}); a stand-in: {STAND_IN}.") from error
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
        """Name of the module that gives a layer's values: the layer itself, or the ReLU behind it."""
        if layer not in LAYERS:
            raise UserError(f"network.layers: VGG16 has no layer {layer}: choose among {', '.join(LAYERS)}.")
        room, _, place = LAYERS[layer].partition(".")
        return f"{room}.{int(place) + (self.relu == 'after')}"

    def _measure_width(self) -> int:
        """As the shape says: the weights are not there yet."""
        (widths, hidden), rooms = self._shape, {layer: self._module(layer) for layer in self.layers}
        return sum(hidden if layer.startswith("fc") else widths[int(layer[4]) - 1] for layer in rooms)

    def _seed(self) -> int:
        seed = self._weights.partition(":")[2] or "0"
        if not seed.isdecimal():
            raise UserError(f"network.weights={self._weights}: the seed must be a whole number, e.g. random:1.")
        return int(seed)
