"""Put frames, mask, labels and geometry of one file together: the steps that all formats share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spi_lightning.fields import IS_SINGLE_HIT, PARTICLE_ID, UserError
from spi_lightning.io.labels import as_label, strings_note
from spi_lightning.io.masks import choose_convention, measured
from spi_lightning.io.pattern_file import FrameSource, Mask, PatternFile, PatternKeys
from spi_lightning.io.sentinel_masks import AllOf, exclude_sentinels
from spi_lightning.io.side_files import read_side_file

_SAMPLES: Final = 8


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
        values: (H, W) as stored, or the source of (N, H, W).
        convention: auto, cxi, nexus, euxfel, good, bad or dragonfly.
        where: File and key of the mask.
        place: Convention of bits that is defined where the mask lies; empty: none.

    Raises:
        UserError: Another shape, or what masks.choose_convention refuses.
    """
    shape = tuple(values.shape)
    fits = (file.shape[1:],) if isinstance(values, np.ndarray) else (file.shape,)
    if shape not in fits:
        turned = " (rows and columns are swapped)" if shape[-2:] == file.shape[:0:-1] != file.shape[1:] else ""
        raise UserError(f"{where}: the mask has shape {shape}{turned}; {file.path} has patterns {file.shape}")
    exclude_sentinels(file)
    samples, dead = sample_frames(file), None if file.shared_mask is None else ~file.shared_mask
    if isinstance(values, np.ndarray):
        sense, note = choose_convention(values, samples, convention, where, place, dead)
        keep = measured(values, sense)
        file.shared_mask = keep if file.shared_mask is None else keep & file.shared_mask
    else:
        some = np.concatenate([values.read(i, i + 1) for i in sample_indices(len(file))])
        sense, note = choose_convention(some, samples, convention, where, place, dead)
        masks = TranslatedMasks(values, sense)
        file.frame_masks = masks if file.frame_masks is None else AllOf(file.frame_masks, masks)
    file.notes.append(note)


def add_label(file: PatternFile, name: str, values: NDArray[Any], where: str) -> None:
    """Check one label (N, ...) and add it under its field name."""
    file.notes.extend(strings_note(name, values, where))
    file.labels[name] = as_label(name, values, len(file), where)


def add_side_files(file: PatternFile, keys: PatternKeys, convention: str) -> None:
    """Read labels, particle ids and masks from the files that the keys name, for formats that hold patterns alone."""
    for name, key, option in (
        (IS_SINGLE_HIT, keys.label, "data.keys.label"),
        (PARTICLE_ID, keys.particle_id, "data.keys.particle_id"),
    ):
        if key:
            add_label(file, name, read_side_file(Path(key), (1, 2), option), key)
    for key in split_names(keys.mask):
        add_mask(file, read_side_file(Path(key), (2,), "data.keys.mask"), convention, key)


def split_names(names: str | None) -> list[str]:
    """The names in a comma-separated list, none for None."""
    return [name.strip() for name in (names or "").split(",") if name.strip()]
