"""PatternFile, the common interface of all formats: patterns read lazily, with masks, labels and geometry."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, ClassVar, Final, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spi_lightning.errors import UserError
from spi_lightning.io.hdf5.limits import Limits
from spi_lightning.io.reading import reads
from spi_lightning.notes import Note
from spi_lightning.physics.frames.sentinels import Sentinel
from spi_lightning.summary import Summarised

from .photons import check_photons, convert_adu

NONE: Final = "none"
BYTES_AT_ONCE: Final = 16 << 20  # bytes of photons as float32 worth one read

Labels = dict[str, NDArray[Any]]
Geometry = dict[str, "float | NDArray[Any]"]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class PatternKeys:
    """Names of the data sets in a user's file.

    `label`, `mask` and `particle_id` may also be side files (text, .npy, TIFF, or a Dragonfly detector as mask), which
    is the only way in formats of patterns alone. None searches the usual names, ``none`` leaves out what a file has.

    Args:
        photons: Data set of the patterns, (N, H, W).
        label: Data set or file of is_single_hit, (N,): 1, 0, or -1 for unknown.
        mask: Data set or file of the mask, (H, W) or (N, H, W); a list joined by commas excludes the union.
        particle_id: Data set or file of the run or particle of every pattern, (N,) numbers or strings.
        index: Numbers of the patterns to use, (n,): a data set, a file, or the numbers themselves.
        positive: Labels that mean a single hit, words or numbers, a list joined by commas; all others mean not. None
            for 1 and the words of labels.py.
        reader: Function that opens files of a further format, path -> their patterns, and returns None for any other
            file. None for the formats of this package alone.
    """

    photons: str | None = None
    label: str | None = None
    mask: str | None = None
    particle_id: str | None = None
    index: str | int | Sequence[int] | None = None
    positive: str | int | None = None
    reader: Callable[[Path], PatternFile | None] | None = None

    @property
    def searching(self) -> PatternKeys:
        """The same, without the word none where it means no more than a search of the usual names."""
        named = ("photons", "index", "positive")
        return replace(self, **{name: None for name in named if is_none(getattr(self, name))})

    def as_plain(self) -> dict[str, Any]:
        """These settings as plain data, the reader by its name."""
        plain = {each.name: getattr(self, each.name) for each in fields(self)}
        made_by = getattr(self.reader, "func", self.reader) or self.reader
        return plain | {"reader": made_by and f"{made_by.__module__}.{made_by.__qualname__}"}


def is_none(name: object) -> bool:
    """Whether the name of a data set is the word ``none``, by which a user leaves out what the file has."""
    return isinstance(name, str) and name.lower() == NONE


class FrameSource(Protocol):
    """Stored frames of one file. Pickles without open handles; opens its file on the first read in each process.

    Attributes:
        shape: Number of frames, rows and columns, (N, H, W).
        dtype: Number type of the stored values.
        chunk: Number of frames that the file stores, and therefore reads, together; 1 if any frame costs the same.
    """

    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    chunk: int

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Frames start..stop as stored, (stop - start, H, W), in an array that the caller may change."""
        ...


class MaskSource(Protocol):
    """Per-frame masks of one file, True = measured."""

    def read(self, start: int, stop: int) -> Mask:
        """Masks start..stop, (stop - start, H, W) bool, True = measured."""
        ...


@dataclass(eq=False, repr=False)
class PatternFile(Summarised):
    """Patterns of one file, read on demand; the file is never loaded whole.

    Attributes:
        path: Path of the file.
        format: Name of the format in words.
        source: Source of the stored frames, (N, H, W).
        shared_mask: Mask of all frames, (H, W) bool, True = measured; None excludes nothing.
        frame_masks: Source of one further mask per frame, or None.
        labels: Field name -> values (N, ...), as in fields.py.
        images: Field name -> source of one image per frame, such as its density.
        geometry: Known ones of distance (m), pixel_size (m), photon_energy (eV) and beam_centre (row, column; pixel).
        unknown_geometry: Quantities missing from ``geometry`` because of an unknown unit, each with the error message
            to raise where it is needed.
        notes: One note for each choice the reader made.
        adu_per_photon: Gain by which stored values are divided, ADU; None if they are photons.
        files_read: Absolute paths of all files opened for it, in the order of their first use.
        opened_with: Settings it was opened with, as plain data.
        limits: Valid range of the stored counts that the file states.
        sentinels: Sentinel values found, see physics.frames.sentinels; None before the search.
        reader: Function that opened the file, of a format outside this package; None for those inside.

    Examples:
        >>> from spi_lightning import open_patterns
        >>> file = open_patterns("hits.cxi")
        >>> len(file), file.read([3]).shape, file.read_mask([3]).dtype
        (24, (1, 32, 32), dtype('bool'))
        >>> sorted(file.geometry)
        ['beam_centre', 'distance', 'photon_energy', 'pixel_size']
    """

    drawn_by: ClassVar[str] = "spi_lightning.reports.drawing:patterns"
    path: Path
    format: str
    source: FrameSource
    shared_mask: Mask | None = None
    frame_masks: MaskSource | None = None
    labels: Labels = field(default_factory=dict)
    images: dict[str, FrameSource] = field(default_factory=dict)
    geometry: Geometry = field(default_factory=dict)
    unknown_geometry: dict[str, str] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    adu_per_photon: float | None = None
    files_read: tuple[Path, ...] = ()
    opened_with: dict[str, Any] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    sentinels: list[Sentinel] | None = None
    reader: Callable[[Path], PatternFile | None] | None = None

    def facts(self) -> Mapping[str, object]:
        """What the file holds, in words."""
        count, height, width = self.shape
        measured = None if self.shared_mask is None else f"{100 * self.shared_mask.mean():.1f} % of the pixels measured"
        return {
            "path": self.path,
            "format": self.format,
            "patterns": f"{count:,} of {height} x {width} pixels",
            "unit": "photons" if self.adu_per_photon is None else f"detector units, {self.adu_per_photon:g} a photon",
            "mask": "one for each pattern" if self.masks_differ else measured,
            "labels": list(self.labels),
            "geometry": list(self.geometry),
            "notes": len(self.notes) or None,
        }

    def changed(self, **values: Any) -> Self:
        """A copy with other values of some attributes, which reads from the same sources."""
        copied = copy.copy(self)
        vars(copied).update(values)
        return copied

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of patterns, rows, columns."""
        return self.source.shape

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def masks_differ(self) -> bool:
        """Whether the masks of the frames differ; else ``shared_mask`` holds for all of them."""
        return self.frame_masks is not None

    @property
    def mask(self) -> Mask | None:
        """(H, W), or (N, H, W) if frames differ (large: prefer read_mask), bool, True = measured; None without one."""
        if self.masks_differ:
            return self.read_mask(np.arange(len(self)))
        return self.shared_mask

    @reads("a mask")
    def read_mask(self, indices: ArrayLike) -> Mask:
        """Masks of the frames ``indices`` (n,): (n, H, W) bool, True = measured; a read-only view if all share one."""
        index = self.check_indices(indices)
        shape = (len(index), *self.shape[1:])
        if self.frame_masks is None:
            return np.broadcast_to(True if self.shared_mask is None else self.shared_mask, shape)
        masks = np.empty(shape, dtype=bool)
        for start, stop, into, of in runs(index, 1):
            masks[into] = self._keep(start, stop)[of]  # type: ignore[index]
        return masks

    def _keep(self, start: int, stop: int) -> Mask | None:
        """Mask of frames start..stop, (H, W) if shared, else (stop - start, H, W); None if all pixels are measured."""
        if self.frame_masks is None:
            return self.shared_mask
        keep = self.frame_masks.read(start, stop)
        return keep if self.shared_mask is None else keep & self.shared_mask

    def read(self, indices: ArrayLike) -> NDArray[np.float32]:
        """Read the photons of frames; consecutive frames and chunks are read at once.

        Args:
            indices: (n,) frame numbers in any order, duplicates allowed.

        Returns:
            (n, H, W) float32 photons: whole numbers, 0 where the mask is False.

        Raises:
            UserError: A frame does not exist, cannot be read, or holds values that are not photon counts.
        """
        index = self.check_indices(indices)
        frames = self.read_stored(index)
        if self.adu_per_photon is not None:
            return convert_adu(frames, self.adu_per_photon, index, self.path)
        return check_photons(frames, index, self.path, self.source.dtype)

    @reads("patterns")
    def read_stored(self, indices: ArrayLike) -> NDArray[np.float32]:
        """As `read`, but in the unit of the file and unchecked: (n, H, W) float32, 0 where the mask is False."""
        index = self.check_indices(indices)
        frames = np.empty((len(index), *self.shape[1:]), dtype=np.float32)
        for start, stop, into, of in runs(index, self.source.chunk):
            block = self._measured(self.source.read(start, stop), start, stop)
            frames[into] = block if isinstance(of, slice) else block[of]
        return frames

    @reads("images")
    def read_image(self, name: str, indices: ArrayLike) -> NDArray[Any]:
        """Images of a name for the frames ``indices`` (n,): (n, h, w) in their stored dtype."""
        index, source = self.check_indices(indices), self.images[name]
        frames = np.empty((len(index), *source.shape[1:]), dtype=source.dtype)
        for start, stop, into, of in runs(index, source.chunk):
            frames[into] = source.read(start, stop)[of]
        return frames

    def frames_at_once(self, max_bytes: int = BYTES_AT_ONCE) -> int:
        """Number of frames worth one read: those of ``max_bytes`` as float32, in chunks of up to 8 times that."""
        frame = 4 * self.shape[1] * self.shape[2]
        chunk = max(1, min(self.source.chunk, 8 * max_bytes // frame))
        return chunk * max(1, max_bytes // (frame * chunk))

    def origin(self, indices: ArrayLike) -> list[tuple[PatternFile, int]]:
        """Original file of each frame, and its frame number there; ``indices`` (n,)."""
        return [(self, int(i)) for i in self.check_indices(indices)]

    def _measured(self, block: NDArray[Any], start: int, stop: int) -> NDArray[Any]:
        """Frames start..stop (n, H, W) with unmeasured pixels set to 0 in place, also where they are NaN."""
        keep = self._keep(start, stop)
        if keep is None:
            return block
        if block.dtype.kind in "iu":
            block *= keep.astype(block.dtype)  # twice as fast as copyto, but keeps NaN
        else:
            np.copyto(block, 0, where=~keep)
        return block

    def check_indices(self, indices: ArrayLike) -> NDArray[np.int64]:
        """Frame numbers as int64 (n,); UserError for one that is not in the file."""
        index = np.atleast_1d(np.asarray(indices, dtype=np.int64))
        if len(index) and not (index.min() >= 0 and index.max() < len(self)):
            wrong = index[(index < 0) | (index >= len(self))][0]
            raise UserError(f"{self.path}: frame {wrong} does not exist; the file has frames 0 to {len(self) - 1}")
        return index


def runs(index: NDArray[np.int64], chunk: int) -> Iterator[tuple[int, int, Any, Any]]:
    """Split frame numbers into ranges worth one read: consecutive frames, and frames of one chunk.

    Args:
        index: Frame numbers in any order, (n,).
        chunk: Number of frames that the file stores together.

    Yields:
        Start and stop of the read; positions of its frames in the result; their positions in the read (slice = all).
    """
    if len(index) == 0:
        return
    steps = np.diff(index)
    if (steps == 1).all():  # the common case: no sorting, no gather
        yield int(index[0]), int(index[-1]) + 1, slice(None), slice(None)
        return
    order = np.argsort(index, kind="stable")
    ordered = index[order]
    near = (np.diff(ordered) <= 1) | (ordered[1:] // chunk == ordered[:-1] // chunk)
    for members in np.split(np.arange(len(index)), np.flatnonzero(~near) + 1):
        start, stop = int(ordered[members[0]]), int(ordered[members[-1]]) + 1
        yield start, stop, order[members], ordered[members] - start
