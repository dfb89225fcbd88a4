"""Put frames, mask, labels and geometry of one file together: the steps that all formats share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from spi_lightning.errors import UserError
from spi_lightning.fields import IS_SINGLE_HIT, PARTICLE_ID
from spi_lightning.io.masks.bits import convention_of
from spi_lightning.io.masks.convention import choose_convention, measured
from spi_lightning.io.masks.sentinels import AllOf, exclude_sentinels
from spi_lightning.physics.frames.saturation import find_saturated

from .labels import as_label
from .pattern_file import FrameSource, Mask, PatternFile, PatternKeys
from .side_files import read_side_file

_SAMPLES: Final = 8


class StoredMasks:
    """Per-frame masks (N, H, W) held in memory, as a source of frames."""

    chunk = 1

    def __init__(self, values: NDArray[Any]) -> None:
        self.values, self.dtype = values, values.dtype
        self.shape: tuple[int, int, int] = values.shape

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Masks start..stop as stored, (stop - start, H, W)."""
        return self.values[start:stop]


@dataclass
class TranslatedMasks:
    """Per-frame masks of a source, in our sense."""

    source: FrameSource
    convention: str

    def read(self, start: int, stop: int) -> Mask:
        """Masks start..stop, (stop - start, H, W) bool, True = measured."""
        return measured(self.source.read(start, stop), self.convention)


def leave_out_pixels(file: PatternFile, pixels: Mask) -> None:
    """Exclude pixels (H, W) of all frames, beside what is excluded already."""
    file.shared_mask = ~pixels if file.shared_mask is None else file.shared_mask & ~pixels


def sample_indices(patterns: int) -> NDArray[np.int64]:
    """A few frame numbers, evenly spread, first and last among them."""
    return np.unique(np.linspace(0, patterns - 1, min(patterns, _SAMPLES)).astype(np.int64))


def sample_frames(file: PatternFile) -> NDArray[np.float32]:
    """A few frames (n, H, W) float32 as stored, but what is masked already, not finite or below 0 set to 0."""
    frames: NDArray[np.float32] = file.read_stored(sample_indices(len(file)))
    return np.nan_to_num(frames, nan=0, posinf=0, neginf=0).clip(min=0)


def add_mask(
    file: PatternFile, values: NDArray[Any] | FrameSource, convention: str, where: str, place: str = ""
) -> None:
    """Translate a mask and add it to what the file excludes already, with a note.

    Args:
        file: Patterns to mask, (N, H, W).
        values: (H, W) or (N, H, W) as stored, or the source of (N, H, W).
        convention: auto, cxi, nexus, euxfel, good, bad or dragonfly.
        where: File and key of the mask.
        place: Convention of bits that is defined where the mask lies; empty: none.

    Raises:
        UserError: Another shape, or what masks.choose_convention refuses.
    """
    if isinstance(values, np.ndarray) and values.ndim == 3:
        values = values[0] if len(values) == 1 else StoredMasks(values)
    shape = tuple(values.shape)
    if shape != (file.shape[1:] if isinstance(values, np.ndarray) else file.shape):
        turned = " (rows and columns are swapped)" if shape[-2:] == file.shape[:0:-1] != file.shape[1:] else ""
        raise UserError(f"{where}: the mask has shape {shape}{turned}; {file.path} has patterns {file.shape}")
    exclude_sentinels(file)
    samples, dead = sample_frames(file), None if file.shared_mask is None else ~file.shared_mask
    saturated = find_saturated(samples, np.zeros(samples.shape, dtype=bool))[0]  # where a mask may well lie
    if isinstance(values, np.ndarray):
        sense, note = choose_convention(values, samples, convention, where, place, dead, saturated)
        keep = measured(values, sense)
        file.shared_mask = keep if file.shared_mask is None else keep & file.shared_mask
    else:
        some = np.concatenate([values.read(i, i + 1) for i in sample_indices(len(file))])
        sense, note = choose_convention(some, samples, convention, where, place, dead, saturated)
        masks = TranslatedMasks(values, sense)
        file.frame_masks = masks if file.frame_masks is None else AllOf(file.frame_masks, masks)
    file.notes.append(note)


def add_label(
    file: PatternFile, name: str, values: NDArray[Any], where: str, positive: str | int | None = None
) -> None:
    """Check one label (N, ...) and add it under its field name; ``positive`` as for as_label."""
    file.labels[name], notes = as_label(name, values, len(file), where, positive)
    file.notes.extend(notes)


def add_side_files(file: PatternFile, keys: PatternKeys, convention: str) -> None:
    """Read labels, particle ids and masks from the files that the keys name, for formats that hold patterns alone."""
    for name, key, option in (
        (IS_SINGLE_HIT, keys.label, "data.keys.label"),
        (PARTICLE_ID, keys.particle_id, "data.keys.particle_id"),
    ):
        if key:
            add_label(file, name, read_side_file(Path(key), (1, 2), option), key, keys.positive)
    for key in split_names(keys.mask):
        add_side_mask(file, key, convention)


def add_side_mask(file: PatternFile, key: str, convention: str) -> None:
    """Add a mask (H, W) or (N, H, W) that lies in a file beside; in HDF5 its name and groups tell the convention."""
    where, place = key, ""

    def look(item: h5py.Dataset) -> None:
        nonlocal where, place
        where, place = f"{key}: {item.name}", convention_of(item)

    shapes = {file.shape, file.shape[1:], (1, *file.shape[1:])}
    values = read_side_file(Path(key), (2, 3), "data.keys.mask", shapes, look)
    add_mask(file, values, convention, where, place)


def split_names(names: str | None) -> list[str]:
    """The names in a comma-separated list, none for None."""
    return [name.strip() for name in (names or "").split(",") if name.strip()]
