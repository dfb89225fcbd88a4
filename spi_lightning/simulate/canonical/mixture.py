"""Mixture of simulators whose patterns are of one size, and frames of a file with labels as one of them."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from spi_lightning import codec, fields
from spi_lightning.errors import UserError
from spi_lightning.fields import Kind
from spi_lightning.simulate.hits import block_seed_of


class Mixture:
    """Patterns of two or more simulators in fixed shares; validation and test have those of the first alone.

    Args:
        parts: Simulators by their names, of patterns of one size.
        shares: Share of the patterns of each.
        block_size: Number of patterns per block.

    Raises:
        UserError: Shares of other names, none above 0, or simulators of different sizes.
    """

    def __init__(self, parts: Mapping[str, Any], shares: Mapping[str, float], block_size: int = 256) -> None:
        if set(parts) != set(shares) or not max(shares.values(), default=0) > 0 or min(shares.values()) < 0:
            raise UserError(f"simulate.shares={dict(shares)}: give {', '.join(parts)} a share each, one above 0")
        if len({tuple(part.shape) for part in parts.values()}) > 1:
            sizes = ", ".join(f"{name} {' x '.join(map(str, part.shape))}" for name, part in parts.items())
            raise UserError(f"simulate.parts have patterns of different sizes: {sizes}")
        self.parts, self.block_size = dict(parts), block_size
        self.shape: tuple[int, int] = next(iter(parts.values())).shape
        ends = torch.tensor([float(shares[name]) for name in parts]).cumsum(0)
        ends = (ends / ends[-1] * block_size).round().long()
        counts = ends.diff(prepend=torch.zeros(1, dtype=torch.int64)).tolist()
        self._drawn = [_in_blocks(part, n) for part, n in zip(self.parts.values(), counts, strict=True) if n]

    def of_part(self, split: str) -> Any:
        """Simulator of a split: the mixture in training, else the first of the simulators."""
        return self if split == "train" else next(iter(self.parts.values()))

    def __call__(self, block: int, seed: int, device: torch.device | str = "cpu") -> dict[str, Tensor]:
        """One block, see CanonicalHitSimulator: photons, mask and the labels that all simulators give."""
        drawn = [part(block, seed + number, device) for number, part in enumerate(self._drawn)]
        shared = set.intersection(*(set(one) for one in drawn))
        order = torch.randperm(self.block_size, generator=torch.Generator().manual_seed(block_seed_of(seed, block)))
        mixed = {name: torch.cat([one[name] for one in drawn]) for name in drawn[0] if name in shared}
        mixed = {name: values[order.to(values.device)] for name, values in mixed.items()}
        return mixed | {fields.PARTICLE_ID: block * self.block_size + torch.arange(self.block_size)}


def _in_blocks(part: Any, size: int) -> Any:
    """A simulator that draws blocks of a size."""
    drawn = copy.copy(part)
    drawn.block_size = size
    return drawn


@dataclass(frozen=True)
class Labelled:
    """Frames with labels, in the canonical frame.

    Attributes:
        photons, mask: (N, H, W) float32 photons of full cells, and bool, True = measured.
        is_single_hit: (N,) int64, 1 or 0.
    """

    photons: Tensor
    mask: Tensor
    is_single_hit: Tensor


class LabelledFrames:
    """Frames of a file with labels, drawn again and again, both labels equally often.

    Args:
        path: File of a Labelled, as codec.save writes it.
        block_size: Number of patterns per block.
    """

    def __init__(self, path: str, block_size: int = 256) -> None:
        self.kept = codec.load(Path(path), Labelled)
        self.block_size = block_size
        self.shape = (self.kept.photons.shape[1], self.kept.photons.shape[2])

    def __call__(self, block: int, seed: int, device: torch.device | str = "cpu") -> dict[str, Tensor]:
        """One block: photons, mask, and which are single hits."""
        generator = torch.Generator().manual_seed(block_seed_of(seed, block))
        label = self.kept.is_single_hit
        weight = torch.stack([label == value for value in (0, 1)]).float()
        weight = (weight / weight.sum(1, keepdim=True).clamp_min(1)).sum(0)
        frame = torch.multinomial(weight, self.block_size, replacement=True, generator=generator)
        return {
            fields.PHOTONS: self.kept.photons[frame].to(device),
            fields.MASK: self.kept.mask[frame].to(device),
            fields.IS_SINGLE_HIT: label[frame],
            fields.KIND: torch.where(label[frame] == 1, int(Kind.SINGLE), int(Kind.CONTAMINANT)),
            fields.PARTICLE_ID: frame,
        }
