"""Patterns of another size than a network's: refused, or cropped for its input and its output put on their pixels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from spi_lightning.errors import UserError
from spi_lightning.fields import INTENSITY, MASK, Batch
from spi_lightning.io.input_window import size_refusal
from spi_lightning.io.patterns.pattern_file import PatternFile
from spi_lightning.physics.array import bin_pixels, centre_crop, pad


def trained_size(config: Mapping[str, Any]) -> int | None:
    """Edge of the patterns that a network was trained on, pixel; None where its configuration does not say."""
    simulate = config.get("simulate") or {}
    groups = ((config.get("network") or {}), simulate, simulate.get("projection") or {})
    return next((group["size"] for group in groups if isinstance(group.get("size"), int)), None)


def fitted_batch(batch: Batch, size: int, name: str, bin: int = 1) -> Batch:
    """Patterns of the size that a network was trained on: binned by ``bin``, then the central pixels.

    Pixels left out at the edge make those of the density larger and leave its field of view; pixels binned leave the
    density's pixels and make its field of view smaller.

    Args:
        batch: intensity and mask (B, 1, H, W), origin at n // 2; other fields are kept.
        size: Edge of the network's patterns, pixel.
        name: Name of the network for messages.
        bin: Pixels summed along each axis first.

    Raises:
        UserError: Fewer pixels than the network was trained on, or a bin that does not divide them.
    """
    intensity, mask = batch[INTENSITY], batch[MASK]
    height, width = intensity.shape[-2:]
    if bin > 1:
        intensity, mask = bin_pixels(intensity, mask, bin)
    if size > min(intensity.shape[-2:]):
        binned = f" binned {bin} x {bin}" if bin > 1 else ""
        remedy = "bin less (preprocess.bin)" if bin > 1 else "use one trained at this size, or less binned patterns"
        raise UserError(
            f"{name}: the network was trained on {size} x {size} pixels and the patterns have {height} x "
            f"{width}{binned}: {remedy}"
        )
    return batch | {INTENSITY: centre_crop(intensity, size), MASK: centre_crop(mask, size)}


def on_finer_pixels(answer: Tensor, shape: Sequence[int], bin: int = 1) -> Tensor:
    """Undo fitted_batch for a density or score, interpolated, 0 outside the field of view.

    Args:
        answer: (B, n, n) or (B, n, n, n) real densities or scores.
        shape: Edges of the pattern, (H, W) or (Z, Y, X).
        bin: Pixels that were summed along each axis.

    Returns:
        (B, *shape).
    """
    size, whole = answer.shape[-1], [n // bin for n in shape]
    if whole != [size] * len(whole):
        grid = [(torch.arange(n, device=answer.device) - n // 2) * (size / n) + size // 2 for n in whole]
        axes = torch.meshgrid(*(2 * (axis + 0.5) / size - 1 for axis in grid), indexing="ij")
        places = torch.stack(axes[::-1], -1).to(answer).expand(len(answer), *[-1] * (len(whole) + 1))
        answer = functional.grid_sample(answer[:, None], places, align_corners=False)[:, 0]
    return pad(answer, shape)


def on_coarser_pixels(support: Tensor, size: int) -> Tensor:
    """Support on the pixels of a network that takes the middle of the pattern: (B, H, W) bool -> (B, size, size) bool.

    The field of view stays; a coarse pixel is inside where any fine pixel is whose centre lies in or on it.
    """
    inside = support.float()[:, None]
    for axis, edge in ((-2, support.shape[-2]), (-1, support.shape[-1])):
        ratio, reach = edge / size, int(edge / size / 2)
        kernel = (2 * reach + 1, 1) if axis == -2 else (1, 2 * reach + 1)
        padding = (reach, 0) if axis == -2 else (0, reach)
        wide = torch.nn.functional.max_pool2d(inside, kernel, stride=1, padding=padding)
        index = ((torch.arange(size, device=support.device) - size // 2) * ratio).round().long() + edge // 2
        inside = wide.index_select(axis, index.clamp(0, edge - 1))
    return inside[:, 0] > 0


TRAIN_AT_THIS_SIZE = "use a checkpoint trained at this size"


@contextmanager
def size_refused(
    who: object, checkpoint: Path, shape: Sequence[int], remedy: str = TRAIN_AT_THIS_SIZE, first: bool = True
) -> Iterator[None]:
    """Turn the error of a layer on a shape that it cannot take into a UserError.

    Args:
        who: Method or file that the line begins with.
        checkpoint: Checkpoint of the network.
        shape: Shape of one pattern, (H, W) pixels or (Z, Y, X) voxels.
        remedy: Words on what the user can do.
        first: Whether this is the first batch; once one has passed, the shape is right and the error is another.

    Raises:
        UserError: A RuntimeError of the block, other than lack of memory.
    """
    try:
        yield
    except RuntimeError as error:
        if not first or "memory" in str(error):
            raise
        size, unit = " x ".join(str(n) for n in shape), "pixels" if len(shape) == 2 else "voxels"
        raise UserError(
            f"{who}: the network of {checkpoint} cannot take patterns of {size} {unit} "
            f"({str(error).splitlines()[0]}); {remedy}"
        ) from error


def require_size(patterns: PatternFile, checkpoint: Path, size: int | None, crop: int | None, bin: int) -> None:
    """Refuse patterns that crop and bin do not bring to the input of a network, naming numbers that do.

    Args:
        patterns: File of patterns, some of which are read where numbers are to be named.
        checkpoint: Checkpoint of the network.
        size: Edge that the network takes, pixel; None: any, and only the bin has to divide what is cropped.
        crop, bin: Central pixels kept first (None: all), then squares of bin x bin pixels summed.

    Raises:
        UserError: The patterns do not become ``size`` x ``size`` pixels.
    """
    height, width = patterns.shape[1:]
    edges = (height, width) if crop is None else (crop, crop)
    fits = all(edge == size * bin if size else edge % bin == 0 for edge in edges)
    if fits and (crop is None or crop <= min(height, width)):
        return
    smaller = f"the patterns are smaller; {TRAIN_AT_THIS_SIZE}"
    raise size_refusal(patterns, f"the network of {checkpoint}", size, (crop, bin), smaller)
