"""Concatenation of files, or of chosen frames of files: a run in many files, an index list, a subset."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spi_lightning.errors import UserError
from spi_lightning.fields import BEAM_CENTRE, IS_SINGLE_HIT, KIND, PARTICLE_ID
from spi_lightning.notes import Note

from .pattern_file import FrameSource, Geometry, Labels, Mask, PatternFile

Pixel = TypeVar("Pixel", np.float32, np.bool_)
_UNKNOWN: Final = {IS_SINGLE_HIT: -1, KIND: -1}


class PickedFrames:
    """Frames of one or more sources as one: frame i is frame `frame_of[i]` of `sources[file_of[i]]`.

    Args:
        sources: Sources of frames of one shape, (N, H, W) each.
        file_of, frame_of: Index of the source of each frame, and of the frame in its source; (N,) int64.
    """

    chunk = 1

    def __init__(self, sources: Sequence[FrameSource], file_of: NDArray[np.int64], frame_of: NDArray[np.int64]) -> None:
        self.sources, self.file_of, self.frame_of = sources, file_of, frame_of
        self.shape: tuple[int, int, int] = (len(file_of), *sources[0].shape[1:])
        self.dtype = sources[0].dtype
        self.fill: list[float] = getattr(sources[0], "fill", [])

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Frames start..stop as the files store them, (stop - start, H, W)."""
        pairs = zip(self.file_of[start:stop], self.frame_of[start:stop], strict=True)
        return np.stack([self.sources[file].read(frame, frame + 1)[0] for file, frame in pairs])


class ConcatenatedFiles(PatternFile):
    """Concatenated pattern files: frame i is frame `frame_of[i]` of file `files[file_of[i]]`.

    Labels come from the files; where some files lack one it is -1 (unknown) for is_single_hit and kind, and left out
    otherwise. Unless all files have a particle_id, each file is its own particle, so that no split divides a file.

    Args:
        path: Path of the list, glob or first file, for messages.
        files: Open files of one detector shape (H, W).
        file_of, frame_of: Index of the file of each frame, and of the frame in its file; (N,) integers.
        form: Name of the format in words.

    Raises:
        UserError: The files have different detector shapes, or a frame is not in its file.
    """

    def __init__(
        self, path: Path, files: Sequence[PatternFile], file_of: ArrayLike, frame_of: ArrayLike, form: str
    ) -> None:
        self.files = list(files)
        self.file_of = np.asarray(file_of, dtype=np.int64)
        self.frame_of = np.asarray(frame_of, dtype=np.int64)
        for file in self.files:
            if file.shape[1:] != self.files[0].shape[1:]:
                raise UserError(
                    f"{path}: files of different shapes: {self.files[0].path} has {self.files[0].shape[1:]}, "
                    f"{file.path} has {file.shape[1:]}"
                )
        for number, file in enumerate(self.files):
            file.check_indices(self.frame_of[self.file_of == number])
        source = PickedFrames([file.source for file in self.files], self.file_of, self.frame_of)
        super().__init__(path, form, source, notes=[note for file in self.files for note in file.notes])
        self.labels, self.geometry = self._join_labels(), self._join_geometry()
        self.images = self._join_images()
        self.unknown_geometry = {name: line for file in self.files for name, line in file.unknown_geometry.items()}
        masks = [file.shared_mask for file in self.files]
        self.sentinels = []  # those of the files are masked already
        kinds = {None if mask is None else mask.tobytes() for mask in masks}
        self._masks_differ = len(kinds) > 1 or any(file.masks_differ for file in self.files)
        self.shared_mask = None if self._masks_differ else masks[0]

    @property
    def masks_differ(self) -> bool:
        """Whether the masks of the frames differ, within a file or between files."""
        return self._masks_differ

    def read(self, indices: ArrayLike) -> NDArray[np.float32]:
        """As PatternFile.read: (n, H, W) float32 photons, each file read once."""
        return self._gather(indices, np.float32, lambda file, frames: file.read(frames))

    def read_stored(self, indices: ArrayLike) -> NDArray[np.float32]:
        """As PatternFile.read_stored: (n, H, W) float32 in the unit of the files."""
        return self._gather(indices, np.float32, lambda file, frames: file.read_stored(frames))

    def read_mask(self, indices: ArrayLike) -> Mask:
        """As PatternFile.read_mask: (n, H, W) bool."""
        if not self._masks_differ:
            return super().read_mask(indices)
        return self._gather(indices, np.bool_, lambda file, frames: file.read_mask(frames))

    def origin(self, indices: ArrayLike) -> list[tuple[PatternFile, int]]:
        """Original file of each frame, and its frame number there; ``indices`` (n,)."""
        return [
            origin
            for i in self.check_indices(indices)
            for origin in self.files[self.file_of[i]].origin([self.frame_of[i]])
        ]

    def _gather(
        self, indices: ArrayLike, dtype: type[Pixel], read: Callable[[PatternFile, NDArray[np.int64]], NDArray[Pixel]]
    ) -> NDArray[Pixel]:
        """Frames or masks (n, H, W) of a dtype, each file read once by ``read``."""
        index = self.check_indices(indices)
        of, gathered = self.file_of[index], np.empty((len(index), *self.shape[1:]), dtype=dtype)
        for number in np.unique(of):
            members = slice(None) if (of == number).all() else np.flatnonzero(of == number)
            gathered[members] = read(self.files[number], self.frame_of[index[members]])
        return gathered

    def _join_labels(self) -> Labels:
        """Labels of all frames, (N, ...)."""
        joined: Labels = {}
        for name in dict.fromkeys(name for file in self.files for name in file.labels):
            columns = [self._column(file, name) for file in self.files]
            known = [column for column in columns if column is not None]
            if len(known) == len(self.files) and len({column.shape[1:] for column in known}) == 1:
                joined[name] = self._pick(known)
        if PARTICLE_ID not in joined and len(self.files) > 1:
            joined[PARTICLE_ID] = self.file_of.copy()
            self.notes.append(
                Note.of(f"each of the {len(self.files)} files is taken as its own particle or run", str(self.path))
            )
        return joined

    def _join_images(self) -> dict[str, FrameSource]:
        """Images that all files have in one shape."""
        joined: dict[str, FrameSource] = {}
        for name, first in self.files[0].images.items():
            if all(name in file.images and file.images[name].shape[1:] == first.shape[1:] for file in self.files):
                joined[name] = PickedFrames([file.images[name] for file in self.files], self.file_of, self.frame_of)
        return joined

    def _column(self, file: PatternFile, name: str) -> NDArray[Any] | None:
        """Values of one label in a file, (N, ...); without it -1 where the label has an unknown value, else None."""
        if name not in file.labels and name in _UNKNOWN:
            return np.full(len(file), _UNKNOWN[name], dtype=np.int64)
        return file.labels.get(name)

    def _pick(self, columns: list[NDArray[Any]]) -> NDArray[Any]:
        """Values of all frames (N, ...) from those of each file."""
        starts = np.cumsum([0, *(len(column) for column in columns[:-1])])
        picked: NDArray[Any] = np.concatenate(columns)[starts[self.file_of] + self.frame_of]
        return picked

    def _join_geometry(self) -> Geometry:
        """Geometry that all files have: one value if they agree, else one per frame (N, ...)."""
        joined: Geometry = {}
        for name, first in self.files[0].geometry.items():
            values = [file.geometry.get(name) for file in self.files]
            if any(value is None for value in values):
                continue
            if not _per_frame(name, first) and all(np.array_equal(value, first) for value in values):  # type: ignore[arg-type]
                joined[name] = first
            else:
                joined[name] = self._pick([_spread(file, name) for file in self.files])
        return joined


def masked(patterns: PatternFile, mask: Mask | FrameSource) -> PatternFile:
    """Patterns with another mask, in each of the files that they come from.

    Args:
        patterns: Patterns (N, H, W).
        mask: (H, W) bool, True = measured, instead of the mask that all frames share; or a source of (N, H, W) instead
            of the further masks of single frames.
    """
    if not isinstance(patterns, ConcatenatedFiles):
        return patterns.changed(**{"shared_mask" if isinstance(mask, np.ndarray) else "frame_masks": mask})
    files = []
    for number, file in enumerate(patterns.files):
        own, row, of = mask, np.zeros(len(file), dtype=np.int64), np.flatnonzero(patterns.file_of == number)
        if not isinstance(mask, np.ndarray):
            row[patterns.frame_of[of]] = of
            own = PickedFrames([mask], np.zeros_like(row), row)
        files.append(masked(file, own))
    joined = ConcatenatedFiles(patterns.path, files, patterns.file_of, patterns.frame_of, patterns.format)
    return patterns.changed(files=files, shared_mask=joined.shared_mask, _masks_differ=joined._masks_differ)


def _per_frame(name: str, value: float | NDArray[Any]) -> bool:
    """Whether a geometry value has one entry per frame."""
    return np.ndim(value) == (2 if name == BEAM_CENTRE else 1)


def _spread(file: PatternFile, name: str) -> NDArray[Any]:
    """Geometry value of a file, one entry per frame."""
    value = np.asarray(file.geometry[name])
    return value if _per_frame(name, value) else np.broadcast_to(value, (len(file), *value.shape))
