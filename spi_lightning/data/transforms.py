"""Preprocessing of photon counts for networks, and random reflections in training."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Literal, get_args

import torch
from torch import Tensor, nn

from spi_lightning.errors import UserError
from spi_lightning.fields import FRAME, MASK, PHOTONS, Batch
from spi_lightning.physics.array import bin_pixels, crop_about

SCALES = ("sqrt", "log", "none")
STANDARDISATIONS = ("none", "scalar", "pixel")
Augmentation = Literal["none", "flips", "dihedral"]
AUGMENTATIONS = get_args(Augmentation)


class HitInput(nn.Module):
    """Map from photons and mask of a batch, (B, 1, H, W), to the input of a hit classifier, (B, C, h, w) float32.

    Args:
        mask_channel: Whether the last channel is the mask.

    Attributes:
        adjustable: Names of the attributes that a user may set for patterns of another detector.
    """

    adjustable: ClassVar[tuple[str, ...]] = ()

    def __init__(self, mask_channel: bool) -> None:
        super().__init__()
        self.mask_channel = mask_channel

    def adjust(self, settings: Mapping[str, Any]) -> None:
        """Set attributes by their names where a value is not None; UserError for one that is not adjustable."""
        for name, value in settings.items():
            if value is not None and name not in self.adjustable:
                choices = " or ".join(f"preprocess.{one}" for one in self.adjustable)
                raise UserError(f"preprocess.{name}={value}: this network has no such setting; set {choices}")
            if value is not None:
                setattr(self, name, value)

    @property
    def needs_fit(self) -> bool:
        """Whether statistics of the training patterns are still to be fitted."""
        return False

    def with_mask(self, pattern: Tensor, mask: Tensor) -> Tensor:
        """Pattern (B, 1, h, w), followed by its mask, (B, 1, h, w) or one for all, if that is a channel."""
        return torch.cat([pattern, mask.to(pattern).expand(pattern.shape)], dim=1) if self.mask_channel else pattern


class Preprocess(HitInput):
    """Map from photons and mask to network input (B, C, h, w) float32; masked pixels are 0 before and after.

    Steps in this order: crop, binning by summing, scaling, standardisation, mask. There is no normalisation per
    pattern, as its brightness is a feature. The module is part of the task and so of its checkpoint.

    Args:
        crop: Edge of the central square to keep before binning, pixel; None: all.
        bin: Edge of the squares of pixels that are summed. A partly masked square is scaled to its full area; a fully
            masked one stays masked.
        scale: Scaling, ``sqrt`` (of photons: constant noise), ``log`` (of 1 + photons) or ``none``.
        standardise: Standardisation, ``none``; ``scalar``: by one mean and one standard deviation of all measured
            pixels of all training patterns; ``pixel``: by the mean image and one deviation.
        mask_channel: Whether to add the mask as a second channel; the network then needs in_channels=2.
        beam_centre: Row and column of the beam in measured frames, pixel, around which they are cropped; None: the
            middle, where simulated patterns have it. What lies beyond a frame was not measured.

    Raises:
        UserError: An option is unknown, a beam centre comes without a crop, or a pattern is smaller than the crop or
            not divisible by the bin.

    Source: Han & Li (2017), Sect. 4.1: crop to 128, "zero mean value and unit variance across all training data", mean
    image subtracted in Fig. 4. The text leaves ``scalar`` or ``pixel`` open.
    """

    adjustable = ("crop", "bin", "beam_centre")
    mean: Tensor
    deviation: Tensor
    fitted: Tensor

    def __init__(
        self,
        crop: int | None = None,
        bin: int = 1,
        scale: str = "sqrt",
        standardise: str = "none",
        mask_channel: bool = False,
        beam_centre: Sequence[float] | None = None,
    ) -> None:
        super().__init__(mask_channel)
        _require("preprocess.scale", scale, SCALES)
        _require("preprocess.standardise", standardise, STANDARDISATIONS)
        self.crop, self.bin, self.scale, self.standardise = crop, bin, scale, standardise
        self.beam_centre = beam_centre
        self._require_crop()
        self.register_buffer("mean", torch.zeros(1, 1))
        self.register_buffer("deviation", torch.ones(1, 1))
        self.register_buffer("fitted", torch.tensor(standardise == "none"))

    def adjust(self, settings: Mapping[str, Any]) -> None:
        """As of every input; UserError also for a beam centre without a crop, which alone can follow it."""
        super().adjust(settings)
        self._require_crop()

    def _require_crop(self) -> None:
        if self.beam_centre is not None and self.crop is None:
            stated = ",".join(f"{at:g}" for at in self.beam_centre)
            raise UserError(f"preprocess.beam_centre=[{stated}] is where a crop is taken: set preprocess.crop=EDGE too")

    @property
    def needs_fit(self) -> bool:
        """Whether mean and deviation of the standardisation are still to be fitted."""
        return not bool(self.fitted)

    def forward(self, batch: Batch) -> Tensor:
        """Network input (B, 1, h, w), or (B, 2, h, w) with the mask, of photons and mask (B, 1, H, W)."""
        pattern, mask = self._scaled(batch)
        if self.standardise != "none":
            pattern = (pattern - self.mean) / self.deviation * mask
        return self.with_mask(pattern, mask)

    @torch.no_grad()
    def fit(self, batches: Iterable[Batch]) -> None:
        """Fit mean and standard deviation to training batches, by float64 sums over measured pixels."""
        pixels = total = square = torch.zeros(1, 1, dtype=torch.float64)
        for batch in batches:
            pattern, mask = self._scaled(batch)
            value = pattern.double()
            pixels = pixels + mask.sum((0, 1))
            total = total + value.sum((0, 1))
            square = square + value.square().sum((0, 1))
        if self.standardise == "scalar":
            pixels, total, square = (x.sum()[None, None] for x in (pixels, total, square))
        mean = total / pixels.clamp(min=1)
        variance = (square - pixels * mean.square()).sum() / pixels.sum()
        if not (torch.isfinite(variance) and variance > 0):
            raise UserError("preprocess.standardise: the training patterns hold no varying measured pixel")
        self.mean = mean.to(self.mean)
        self.deviation = variance.sqrt().reshape(1, 1).to(self.deviation)
        self.fitted.fill_(True)

    def _scaled(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Crop, bin and scale: (B, 1, h, w) photons or their root or log, and the mask that goes with them."""
        photons, mask = self._cropped(batch[PHOTONS]), self._cropped(batch[MASK])
        if self.bin > 1:
            photons, mask = bin_pixels(photons, mask, self.bin)
        else:
            photons = torch.where(mask, photons, 0.0)
        if self.scale == "sqrt":
            return photons.sqrt(), mask
        return (photons.log1p(), mask) if self.scale == "log" else (photons, mask)

    def _cropped(self, image: Tensor) -> Tensor:
        """Square of images (B, 1, H, W) around the beam, 0 or False beyond them, or their middle."""
        return crop_about(image, self.crop, self.beam_centre)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        """Resize the buffer to a stored mean image, whose shape is not known before."""
        stored = state_dict.get(f"{prefix}mean")
        if isinstance(stored, Tensor):
            self.mean = self.mean.new_zeros(stored.shape)
        super()._load_from_state_dict(state_dict, prefix, *args)


def reflect(batch: Batch, augment: str, draw: int) -> Batch:
    """Mirror each pattern and its mask at random, the same way in every process and after every resume.

    The reflection of a pattern follows from a hash of its frame number and ``draw`` (e.g. the epoch), so it depends
    neither on the batch nor on the state of a generator.

    Args:
        batch: Batch with photons, mask (B, 1, H, W) and frame (B,).
        augment: Reflections, ``none``, ``flips`` (left-right and up-down) or ``dihedral`` (also transposed; square
            patterns only).
        draw: Integer below 2^31 that selects the random reflections.

    Source: flips as in Han & Li (2017), Sect. 4.1.
    """
    _require("data.augment", augment, AUGMENTATIONS)
    if augment == "none":
        return batch
    coin_of = coins(batch[FRAME], draw)
    reflected = dict(batch)
    for bit, axes in enumerate(((-1,), (-2,), (-2, -1))[: 3 if augment == "dihedral" else 2]):
        coin = (coin_of >> bit & 1).bool()[:, None, None, None]
        for name in (PHOTONS, MASK):
            image = reflected[name]
            mirrored = image.flip(axes) if len(axes) == 1 else image.transpose(*axes)
            reflected[name] = torch.where(coin, mirrored, image)
    return reflected


def views(pattern: Tensor, augment: str) -> list[Tensor]:
    """Equivalent images of patterns (B, C, H, W) under `reflect`, 1, 4 or 8, the pattern itself first.

    Raises:
        UserError: ``augment`` is unknown, or ``dihedral`` and the patterns are not square.
    """
    _require("views", augment, AUGMENTATIONS)
    if augment == "dihedral" and pattern.shape[-1] != pattern.shape[-2]:
        raise UserError(f"views=dihedral needs square patterns, not {tuple(pattern.shape[-2:])} pixels; use flips")
    images = [pattern]
    for axes in ((-1,), (-2,), (-2, -1))[: AUGMENTATIONS.index(augment) + (augment != "none")]:
        images += [image.flip(axes) if len(axes) == 1 else image.transpose(*axes) for image in images]
    return images


def coins(frame: Tensor, draw: int) -> Tensor:
    """Hash of frame numbers, (B,) int64 -> (B,) int64 (the finaliser of MurmurHash3 in 32 bits, twice)."""
    mixed = frame * 0x9E3779B1 + draw * 0x85EBCA77 & 0xFFFFFFFF
    for _ in range(2):
        mixed = (mixed ^ mixed >> 16) * 0x85EBCA6B & 0xFFFFFFFF
        mixed = (mixed ^ mixed >> 13) * 0xC2B2AE35 & 0xFFFFFFFF
        mixed = mixed ^ mixed >> 16
    return mixed >> 8


def _require(option: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise UserError(f"{option}={value} is unknown: choose one of {', '.join(choices)}")
