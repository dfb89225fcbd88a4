"""VGG16 pretrained on photographs as a frozen backbone (Han & Li, 2017, Sect. 4.2), and the 8-bit images it takes."""

import hashlib
import io
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from spi_lightning.errors import UserError
from spi_lightning.io.download import VGG16_IMAGENET, find_published, read_weights
from spi_lightning.networks.vgg16 import LAYERS, VGG16
from spi_lightning.physics.array import bin_pixels, centre_crop

from .backbone import STAND_IN, FrozenBackbone, activations

NORMALISATIONS: Final = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "efficientnet_lite": ((127 / 255,) * 3, (128 / 255,) * 3),
    "none": ((0.0,) * 3, (1.0,) * 3),
}
"""Mean and deviation of red, green and blue in [0, 1] by name."""
CHANNEL_ORDERS: Final = ("rgb", "bgr")


class ToRGB8(nn.Module):
    """Map from photons and mask (B, 1, H, W) to 8-bit images as (B, 3, size, size) float32.

    In this order: crop and bin; clip; 255 * photons / clip rounded to 8 bits; JPEG compression if a quality is
    set; the central square; size by bilinear interpolation (averaged first when shrinking); three channels in
    [0, 1]; mean and deviation of ImageNet. Masked pixels are black.

    The paper fixes the clip ("maximal intensity scale being 10") and that JPEG files were written and read. Options
    where it leaves a choice: the quality (``jpeg``; none by default, as images here stay in memory), the colours (grey
    by default; its remark that first layers see "color blocks" suggests a colour map), the normalisation (torchvision's
    weights were trained with ImageNet's mean and deviation) and the order of channels, which affects grey images only
    through the normalisation. The size changes after the JPEG, as in the image loader of the paper.

    Args:
        clip: Photons that become white; 1, 2, 5, 10, 20, 50, 100 and 1000 are compared in Figs. 6 and 7.
        size: Height and width of the image, pixel.
        jpeg: Quality of the JPEG, 1 to 95; None: no JPEG.
        colours: Colours, ``grey`` or a colour map of matplotlib.
        normalise: Normalisation, ``imagenet``, ``efficientnet_lite`` (to -1 ... 1), or ``none`` to stay in [0, 1].
        channel_order: Order of the channels, ``rgb`` (torchvision's weights) or ``bgr`` (weights converted from Caffe).
        crop, bin: Crop and binning of the pattern first, as in transforms.Preprocess.

    Raises:
        UserError: An option is unknown or out of range, or the pattern is too small for the crop.

    Source: Han & Li (2017), Sect. 4.2, Figs. 6 and 7.
    """

    mean: Tensor
    deviation: Tensor
    palette: Tensor

    def __init__(
        self,
        clip: float = 10.0,
        size: int = 224,
        jpeg: int | None = None,
        colours: str = "grey",
        normalise: str = "imagenet",
        channel_order: str = "rgb",
        crop: int | None = None,
        bin: int = 1,
    ) -> None:
        super().__init__()
        if not clip > 0:
            raise UserError(f"network.clip={clip:g} must be a positive number of photons")
        if size < 32:
            raise UserError(f"network.size={size} must be 32 pixels or more: VGG16 halves it five times")
        if jpeg is not None and not 1 <= jpeg <= 95:
            raise UserError(f"network.jpeg={jpeg} is not a quality: choose 1 to 95, or null for no JPEG")
        for option, value, choices in (
            ("normalise", normalise, tuple(NORMALISATIONS)),
            ("channel_order", channel_order, CHANNEL_ORDERS),
            ("colours", colours, ("grey", *mpl.colormaps)),
        ):
            if value not in choices:
                listed = choices if len(choices) < 5 else ("grey", "viridis", "or another colour map of matplotlib")
                raise UserError(f"network.{option}={value} is unknown: choose one of {', '.join(listed)}")
        self.clip, self.size, self.jpeg, self.crop, self.bin = float(clip), size, jpeg, crop, bin
        self.colours, self.normalise, self.channel_order = colours, normalise, channel_order
        mean, deviation = NORMALISATIONS[normalise]
        self.register_buffer("mean", torch.tensor(mean)[:, None, None], persistent=False)
        self.register_buffer("deviation", torch.tensor(deviation)[:, None, None], persistent=False)
        self.register_buffer("palette", _palette(colours), persistent=False)

    @property
    def settings(self) -> dict[str, Any]:
        """All options by name, defaults included."""
        names = ("clip", "size", "jpeg", "colours", "normalise", "channel_order", "crop", "bin")
        return {name: getattr(self, name) for name in names}

    def forward(self, photons: Tensor, mask: Tensor) -> Tensor:
        """Images (B, 3, size, size) of photons (B, 1, H, W) and mask (B or 1, 1, H, W) bool."""
        grey = self.grey(photons, mask)
        image = self.palette[grey[:, 0].long()].movedim(-1, 1)
        image = F.interpolate(image, (self.size, self.size), mode="bilinear", align_corners=False, antialias=True)
        image = (image - self.mean) / self.deviation
        return image.flip(1) if self.channel_order == "bgr" else image

    def grey(self, photons: Tensor, mask: Tensor) -> Tensor:
        """8-bit grey image before resizing: (B, 1, s, s) uint8, s the shorter edge of the pattern."""
        photons, mask = centre_crop(photons, self.crop), centre_crop(mask, self.crop)
        if self.bin > 1:
            photons, mask = bin_pixels(photons, mask, self.bin)
        photons = torch.where(mask, photons, 0.0)
        grey = (photons.clamp(0, self.clip) * (255 / self.clip)).round().to(torch.uint8)
        if self.jpeg is not None:
            grey = _through_jpeg(grey, self.jpeg)
        return centre_crop(grey, min(grey.shape[-2:]))


def _palette(colours: str) -> Tensor:
    """Red, green and blue in [0, 1] of each of 256 grey values, (256, 3) float32."""
    if colours == "grey":
        return (torch.arange(256) / 255)[:, None].repeat(1, 3)
    table = mpl.colormaps[colours](np.arange(256), bytes=True)[:, :3]
    return torch.from_numpy(table.astype(np.float32) / 255)


def _through_jpeg(grey: Tensor, quality: int) -> Tensor:
    """JPEG compression and decompression in memory of grey images (B, 1, H, W) uint8."""
    restored = []
    for picture in grey[:, 0].cpu().numpy():
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "JPEG", quality=quality)
        restored.append(np.asarray(Image.open(file)))
    return torch.from_numpy(np.stack(restored))[:, None].to(grey.device)


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
        (widths, hidden), layers = self._shape, {layer: self._module(layer) for layer in self.layers}
        return sum(hidden if layer.startswith("fc") else widths[int(layer[4]) - 1] for layer in layers)

    def _seed(self) -> int:
        seed = self._weights.partition(":")[2] or "0"
        if not seed.isdecimal():
            raise UserError(f"network.weights={self._weights}: the seed must be a whole number, e.g. random:1")
        return int(seed)
