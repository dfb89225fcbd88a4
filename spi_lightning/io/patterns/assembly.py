"""Assembly of frames, masks, labels and beam centre into a PatternFile, shared by the readers of all formats."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from spi_lightning.errors import UserError
from spi_lightning.fields import BEAM_CENTRE, IS_SINGLE_HIT, KIND, PARTICLE_ID
from spi_lightning.io.masks.convention import choose_convention, convention_of, measured
from spi_lightning.io.masks.sentinels import AllOf, exclude_sentinels
from spi_lightning.notes import Note
from spi_lightning.physics.frames.beam_centre import LEAST_OVERLAP
from spi_lightning.physics.frames.saturation import find_saturated

from .labels import as_label
from .pattern_file import FrameSource, Mask, PatternFile, PatternKeys, is_none
from .side_files import read_side_file

LABELS: Final = "labels"
"""Subject of the notes on labels that are not used."""
_SAMPLES: Final = 8


class StoredMasks:
    """Per-frame masks (N, H, W) in memory, as a source of frames."""

    chunk = 1

    def __init__(self, values: NDArray[Any]) -> None:
        self.values, self.dtype = values, values.dtype
        self.shape: tuple[int, int, int] = values.shape

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Masks start..stop as stored, (stop - start, H, W)."""
        return self.values[start:stop]


@dataclass
class ConvertedMasks:
    """Per-frame masks of a source (N, H, W), converted from their convention to True = measured."""

    source: FrameSource
    convention: str

    def read(self, start: int, stop: int) -> Mask:
        """Masks start..stop, (stop - start, H, W) bool, True = measured."""
        return measured(self.source.read(start, stop), self.convention)


def exclude_pixels(file: PatternFile, pixels: Mask) -> None:
    """Exclude pixels (H, W) bool, True = excluded, from all frames, in addition to those excluded already."""
    file.shared_mask = ~pixels if file.shared_mask is None else file.shared_mask & ~pixels


def sample_indices(patterns: int, most: int = _SAMPLES) -> NDArray[np.int64]:
    """Up to ``most`` evenly spaced frame numbers (n,), the first and the last included."""
    return np.unique(np.linspace(0, patterns - 1, min(patterns, most)).astype(np.int64))


def sample_frames(file: PatternFile) -> NDArray[np.float32]:
    """Up to 8 frames (n, H, W) float32 as stored; masked, infinite, NaN and negative values are set to 0."""
    frames: NDArray[np.float32] = file.read_stored(sample_indices(len(file)))
    return np.nan_to_num(frames, nan=0, posinf=0, neginf=0).clip(min=0)


def add_mask(
    file: PatternFile, values: NDArray[Any] | FrameSource, convention: str, where: str, bits: str = ""
) -> None:
    """Convert a mask and add it to what the file excludes already, with a note.

    Args:
        file: Patterns to mask, (N, H, W).
        values: Mask as stored, (H, W) or (N, H, W), or the source of (N, H, W).
        convention: auto, cxi, nexus, euxfel, good, bad or dragonfly.
        where: File and key of the mask, for messages.
        bits: Bit convention defined for the path of the mask; empty if none.

    Raises:
        UserError: The mask has another shape than the patterns; or as masks.convention.choose_convention.
    """
    if isinstance(values, np.ndarray) and values.ndim == 3:
        values = values[0] if len(values) == 1 else StoredMasks(values)
    shape = tuple(values.shape)
    if shape != (file.shape[1:] if isinstance(values, np.ndarray) else file.shape):
        swapped = " (rows and columns are swapped)" if shape[-2:] == file.shape[:0:-1] != file.shape[1:] else ""
        raise UserError(f"{where}: the mask has shape {shape}{swapped}; {file.path} has patterns {file.shape}")
    exclude_sentinels(file)
    samples, dead = sample_frames(file), None if file.shared_mask is None else ~file.shared_mask
    saturated = find_saturated(samples, np.zeros(samples.shape, dtype=bool))[0]  # likely masked, so no evidence
    if isinstance(values, np.ndarray):
        chosen, note = choose_convention(values, samples, convention, where, bits, dead, saturated)
        keep = measured(values, chosen)
        file.shared_mask = keep if file.shared_mask is None else keep & file.shared_mask
    else:
        some = np.concatenate([values.read(i, i + 1) for i in sample_indices(len(file))])
        chosen, note = choose_convention(some, samples, convention, where, bits, dead, saturated)
        masks = ConvertedMasks(values, chosen)
        file.frame_masks = masks if file.frame_masks is None else AllOf(file.frame_masks, masks)
    file.notes.append(note)


def add_label(
    file: PatternFile, name: str, values: NDArray[Any], where: str, positive: str | int | None = None
) -> None:
    """Check the values (N, ...) of one label and add them under its field name; ``positive`` as for as_label."""
    file.labels[name], notes = as_label(name, values, len(file), where, positive)
    file.notes.extend(notes)


def add_found_label(
    file: PatternFile, name: str, values: NDArray[Any], where: str, positive: str | int | None = None
) -> None:
    """As add_label, of labels that nobody has named: those of no known meaning are left out, with a note that says so.

    Raises:
        UserError: The user names the labels of single hits, and there are none such.
    """
    try:
        add_label(file, name, values, where, positive)
    except UserError as error:
        if positive is not None or name not in (IS_SINGLE_HIT, KIND):
            raise
        file.notes.append(Note.hint(f"{error}; until then frames have no {name}", LABELS))


def missing_labels(file: PatternFile) -> str:
    """What a user can do about a file without labels, for messages."""
    found = [note.text for note in file.notes if note.subject == LABELS]
    return "; ".join(found) or "name them with data.keys.label="


def add_side_files(file: PatternFile, keys: PatternKeys, convention: str) -> None:
    """Add labels, particle ids and masks from the side files that the keys name, for formats of patterns alone."""
    for name, key, option in (
        (IS_SINGLE_HIT, keys.label, "data.keys.label"),
        (PARTICLE_ID, keys.particle_id, "data.keys.particle_id"),
    ):
        if key and not is_none(key):
            add_label(file, name, read_side_file(Path(key), (1, 2), option), key, keys.positive)
    for key in split_names(keys.mask):
        add_side_mask(file, key, convention)


def add_side_mask(file: PatternFile, key: str, convention: str) -> None:
    """Add a mask (H, W) or (N, H, W) from a side file; in HDF5 its name and groups define the bit convention."""
    where, bits = key, ""

    def look(item: h5py.Dataset) -> None:
        nonlocal where, bits
        where, bits = f"{key}: {item.name}", convention_of(item)

    shapes = {file.shape, file.shape[1:], (1, *file.shape[1:])}
    values = read_side_file(Path(key), (2, 3), "data.keys.mask", shapes, look)
    add_mask(file, values, convention, where, bits)


def split_names(names: str | None) -> list[str]:
    """Names in a comma-separated list; empty for None and the word none."""
    return [] if is_none(names) else [name.strip() for name in (names or "").split(",") if name.strip()]


def check_beam_centre(file: PatternFile) -> None:
    """Keep the stated row and column of the direct beam, (2,) or (N, 2) pixel, if inside the frames; note if not.

    A centre outside the frames is left out, because symmetry is searched for inside them. Of one centre per frame only
    those that are not numbers or lie outside become NaN.
    """
    stated = file.geometry.pop(BEAM_CENTRE, None), file.labels.pop(BEAM_CENTRE, None)
    if stated[0] is None and stated[1] is None:
        return
    count, height, width = file.shape
    centre = np.asarray(stated[0] if stated[1] is None else stated[1])
    if centre.dtype.kind not in "uif" or centre.shape not in ((2,), (1, 2), (count, 2)):
        what = f"is {centre.dtype} of shape {centre.shape}" if centre.ndim > 1 else _numbers(centre)
        file.notes.append(Note.of(f"beam_centre {what}; row and column are needed: not used", str(file.path)))
        return
    centre = centre.astype(np.float64) if centre.shape == (count, 2) else centre.reshape(2).astype(np.float64)
    inside = ((centre >= -0.5) & (centre <= np.array([height, width]) - 0.5)).all(-1)
    if not inside.all():
        first = centre.reshape(-1, 2)[int(np.argmin(inside.reshape(-1)))]
        where = f"{int((~inside).sum())} of {count} frames' beam centres, first" if centre.ndim == 2 else "beam centre"
        file.notes.append(
            Note.of(
                f"{where} row {first[0]:g}, column {first[1]:g}, outside the {height} x {width} pixels of a "
                "frame: not used",
                str(file.path),
            )
        )
        centre[~inside] = np.nan
    overlap = np.prod(1 - np.abs(2 * centre - np.array([height, width]) + 1) / np.array([height, width]), axis=-1)
    if centre.ndim == 1 and inside and overlap < LEAST_OVERLAP:
        file.notes.append(
            Note.of(
                f"beam centre row {centre[0]:g}, column {centre[1]:g} is so near the edge that symmetry "
                "about it cannot be measured: frames get no beam centre of their own",
                str(file.path),
            )
        )
    if inside.any():
        file.geometry[BEAM_CENTRE] = centre
        if centre.ndim == 2:
            file.labels[BEAM_CENTRE] = centre.astype(np.float32)


def _numbers(centre: NDArray[np.generic]) -> str:
    """Description of a vector or scalar that is not a row and column."""
    if centre.dtype.kind not in "uif":
        return f"is {centre.reshape(-1)[0]!s}" if centre.size else "is empty"
    return f"holds {centre.size} number{'s' if centre.size != 1 else ''}"
