"""From counted photons to what a network sees, and random reflections while training."""

from collections.abc import Iterable
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from spi_lightning.errors import UserError
from spi_lightning.fields import FRAME, MASK, PHOTONS, Batch
from spi_lightning.physics.frames.binning import bin_pixels, centre_crop

SCALES = ("sqrt", "log", "none")
STANDARDISATIONS = ("none", "scalar", "pixel")
Augmentation = Literal["none", "flips", "dihedral"]
AUGMENTATIONS = get_args(Augmentation)


class Preprocess(nn.Module):
    """Photons and mask of a batch -> pattern (B, C, h, w) float32; masked pixels are 0 before and after.

    Steps in this order: centre crop, binning by summing, scaling, standardisation, mask. There is no normalisation per
    pattern: how bright a pattern is belongs to what it is. The module is part of the task, so a checkpoint carries it.

    Args:
        crop: Keep this many pixels in the centre of each axis, before binning; all if None.
        bin: Sum squares of bin x bin pixels. A square that is partly masked is scaled up to its full area; one that is
            masked altogether stays masked.
        scale: ``sqrt`` (of photons: constant noise), ``log`` (of 1 + photons) or ``none``.
        standardise: ``none``; ``scalar``: subtract one mean and divide by one standard deviation, of all measured
            pixels of all training patterns; ``pixel``: subtract the mean image, then divide by one deviation.
        mask_channel: Add the mask as a second channel; the network then needs in_channels=2.

    Raises:
        UserError: An unknown option, or a pattern smaller than the crop or not divisible by the bin.

    Source: Han & Li (2017), Sect. 4.1: crop to 128, "zero mean value and unit variance across all training data", mean
    image subtracted in Fig. 4. The text leaves ``scalar`` or ``pixel`` open.
    """

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
    ) -> None:
        super().__init__()
        _require("preprocess.scale", scale, SCALES)
        _require("preprocess.standardise", standardise, STANDARDISATIONS)
        self.crop, self.bin, self.scale, self.standardise, self.mask_channel = (
            crop,
            bin,
            scale,
            standardise,
            mask_channel,
        )
        self.register_buffer("mean", torch.zeros(1, 1))
        self.register_buffer("deviation", torch.ones(1, 1))
        self.register_buffer("fitted", torch.tensor(standardise == "none"))

    @property
    def needs_fit(self) -> bool:
        """True until the training patterns have given the standardisation its mean and deviation."""
        return not bool(self.fitted)

    def forward(self, batch: Batch) -> Tensor:
        """photons, mask (B, 1, H, W) -> (B, 1, h, w), or (B, 2, h, w) with the mask."""
        pattern, mask = self._scaled(batch)
        if self.standardise != "none":
            pattern = (pattern - self.mean) / self.deviation * mask
        return torch.cat([pattern, mask.to(pattern.dtype)], dim=1) if self.mask_channel else pattern

    @torch.no_grad()
    def fit(self, batches: Iterable[Batch]) -> None:
        """Take mean and standard deviation from training batches; float64 sums over measured pixels."""
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
            raise UserError("preprocess.standardise: the training patterns hold no varying measured pixel.")
        self.mean = mean.to(self.mean)
        self.deviation = variance.sqrt().reshape(1, 1).to(self.deviation)
        self.fitted.fill_(True)

    def _scaled(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Crop, bin and scale: (B, 1, h, w) photons or their root or log, and the mask that goes with them."""
        photons, mask = centre_crop(batch[PHOTONS], self.crop), centre_crop(batch[MASK], self.crop)
        if self.bin > 1:
            photons, mask = bin_pixels(photons, mask, self.bin)
        else:
            photons = torch.where(mask, photons, 0.0)
        if self.scale == "sqrt":
            return photons.sqrt(), mask
        return (photons.log1p(), mask) if self.scale == "log" else (photons, mask)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        """Make room for a stored mean image, whose shape this module cannot know before."""
        stored = state_dict.get(f"{prefix}mean")
        if isinstance(stored, Tensor):
            self.mean = self.mean.new_zeros(stored.shape)
        super()._load_from_state_dict(state_dict, prefix, *args)


def reflect(batch: Batch, augment: str, draw: int) -> Batch:
    """Mirror each pattern and its mask at random, the same way in every process and after every resume.

    The coin of a pattern is a hash of its frame number and ``draw`` (say, the epoch), so it depends neither on the
    batch nor on the state of a generator.

    Args:
        batch: With photons, mask (B, 1, H, W) and frame (B,).
        augment: ``none``, ``flips`` (left-right and up-down) or ``dihedral`` (also transposed; square patterns only).
        draw: Any integer below 2^31; another one throws other coins.

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
    """A pattern (B, C, H, W), itself first, and all it could have been after `reflect`: 1, 4 or 8 in all.

    Raises:
        UserError: An unknown ``augment``, or ``dihedral`` of patterns that are not square.
    """
    _require("views", augment, AUGMENTATIONS)
    if augment == "dihedral" and pattern.shape[-1] != pattern.shape[-2]:
        raise UserError(f"views=dihedral needs square patterns, not {tuple(pattern.shape[-2:])} pixels; use flips.")
    seen = [pattern]
    for axes in ((-1,), (-2,), (-2, -1))[: AUGMENTATIONS.index(augment) + (augment != "none")]:
        seen += [image.flip(axes) if len(axes) == 1 else image.transpose(*axes) for image in seen]
    return seen


def coins(frame: Tensor, draw: int) -> Tensor:
    """(B,) int64 -> (B,) well-mixed int64 (the finaliser of MurmurHash3 in 32 bits, twice)."""
    mixed = frame * 0x9E3779B1 + draw * 0x85EBCA77 & 0xFFFFFFFF
    for _ in range(2):
        mixed = (mixed ^ mixed >> 16) * 0x85EBCA6B & 0xFFFFFFFF
        mixed = (mixed ^ mixed >> 13) * 0xC2B2AE35 & 0xFFFFFFFF
        mixed = mixed ^ mixed >> 16
    return mixed >> 8


def _require(option: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise UserError(f"{option}={value} is unknown: choose one of {', '.join(choices)}.")
