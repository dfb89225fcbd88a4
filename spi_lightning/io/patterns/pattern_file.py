"""What every format looks like from outside: numbered patterns read lazily, with mask, labels and geometry."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spi_lightning.errors import UserError
from spi_lightning.io.damage import reads
from spi_lightning.io.hdf5.limits import Limits
from spi_lightning.notes import Note
from spi_lightning.physics.frames.sentinels import Sentinel

from .photons import check_photons, convert_adu

BYTES_AT_ONCE: Final = 16 << 20  # of photons as float32 worth one read

Labels = dict[str, NDArray[Any]]
Geometry = dict[str, "float | NDArray[Any]"]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class PatternKeys:
    """Where the user's file keeps what.

    In HDF5 these are names of data sets; `label`, `mask` and `particle_id` may also be files beside (text, .npy, TIFF,
    or a Dragonfly detector as mask), which is the only way in formats that hold patterns alone. None: look in the
    usual places.

    Args:
        photons: The patterns, (N, H, W).
        label: is_single_hit, (N,): 1, 0, or -1 for unknown.
        mask: (H, W) or (N, H, W); several names joined by commas exclude what any of them excludes.
        particle_id: Run or particle of every pattern, (N,) numbers or strings.
        index: Numbers of the patterns to use, all others being left out, (n,): a name as above, or the numbers.
        positive: Labels that mean a single hit, words or numbers, several joined by commas; all others mean none. None:
            1 and the words of labels.py.
        reader: Opens files of a further format, path -> their patterns, and answers None to any other file. None: the
            formats of this package alone.
    """

    photons: str | None = None
    label: str | None = None
    mask: str | None = None
    particle_id: str | None = None
    index: str | int | Sequence[int] | None = None
    positive: str | int | None = None
    reader: Callable[[Path], PatternFile | None] | None = None

    def as_plain(self) -> dict[str, Any]:
        """These settings as plain data, the reader by its name."""
        plain = {each.name: getattr(self, each.name) for each in fields(self)}
        made_by = getattr(self.reader, "func", self.reader) or self.reader
        return plain | {"reader": made_by and f"{made_by.__module__}.{made_by.__qualname__}"}


class FrameSource(Protocol):
    """Stored frames of one file. Pickles without open handles; opens its file on the first read in each process.

    Attributes:
        shape: (N, H, W).
        dtype: Stored number type.
        chunk: Frames that the file stores, and therefore reads, together; 1 if any frame costs the same.
    """

    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    chunk: int

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Frames start..stop as stored, (stop - start, H, W), in an array that the caller may change."""
        ...


class MaskSource(Protocol):
    """Per-frame masks of one file, in our sense."""

    def read(self, start: int, stop: int) -> Mask:
        """Masks start..stop, (stop - start, H, W) bool, True = measured."""
        ...


@dataclass(eq=False)
class PatternFile:
    """Patterns of one file, read on demand; the file is never loaded whole.

    Attributes:
        path: The file.
        format: Its format in words.
        source: Where frames come from.
        shared_mask: What one mask excludes from all frames, (H, W) bool True = measured; None excludes nothing.
        frame_masks: One mask per frame, which excludes more, or None.
        labels: Field name -> (N, ...), as in fields.py.
        images: Field name -> one image per frame, such as its density, read on demand.
        geometry: distance (m), pixel_size (m), photon_energy (eV), beam_centre (row, column), where known.
        unknown_geometry: Quantities that are not in ``geometry`` for a unit that is not known, each with the line that
            refuses it where it is needed.
        notes: One line for each choice the reader made.
        adu_per_photon: Gain by which stored values are divided; None if they are photons.
        files_read: Every file that was opened for it, absolute, in the order of their first use; see files_read.py.
        opened_with: Settings it was opened with, plain data.
        limits: Range of the stored counts that the file states.
        sentinels: Values found that stand for "not measured", see physics.sentinels; None: not yet looked for.
        reader: What opened it, of a format that is none of this package's.
    """

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

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of patterns, rows, columns."""
        return self.source.shape

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def masks_differ(self) -> bool:
        """Whether frames have masks of their own; else ``shared_mask`` holds for all of them."""
        return self.frame_masks is not None

    @property
    def mask(self) -> Mask | None:
        """(H, W), or (N, H, W) if frames differ (large: prefer read_mask), bool, True = measured; None without one."""
        if self.masks_differ:
            return self.read_mask(np.arange(len(self)))
        return self.shared_mask

    @reads("a mask")
    def read_mask(self, indices: ArrayLike) -> Mask:
        """Masks of some frames, (n, H, W) bool, True = measured; a read-only view where all frames share one."""
        index = self.check_indices(indices)
        shape = (len(index), *self.shape[1:])
        if self.frame_masks is None:
            return np.broadcast_to(True if self.shared_mask is None else self.shared_mask, shape)
        masks = np.empty(shape, dtype=bool)
        for start, stop, into, of in runs(index, 1):
            masks[into] = self._keep(start, stop)[of]  # type: ignore[index]
        return masks

    def _keep(self, start: int, stop: int) -> Mask | None:
        """What was measured of frames start..stop, (H, W) if all share it, else (stop - start, H, W); None: all."""
        if self.frame_masks is None:
            return self.shared_mask
        keep = self.frame_masks.read(start, stop)
        return keep if self.shared_mask is None else keep & self.shared_mask

    def read(self, indices: ArrayLike) -> NDArray[np.float32]:
        """Read some patterns, in any order, duplicates allowed, runs of neighbours and chunks at once.

        Args:
            indices: (n,) frame numbers.

        Returns:
            (n, H, W) float32 photons: whole numbers, 0 where the mask is False.

        Raises:
            UserError: A frame is not there, cannot be read, or holds what are no photon counts.
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
        """One of ``images`` of some frames, (n, h, w) in its stored dtype, in any order."""
        index, source = self.check_indices(indices), self.images[name]
        frames = np.empty((len(index), *source.shape[1:]), dtype=source.dtype)
        for start, stop, into, of in runs(index, source.chunk):
            frames[into] = source.read(start, stop)[of]
        return frames

    def frames_at_once(self, most_bytes: int = BYTES_AT_ONCE) -> int:
        """Frames worth one read: as many as fit into ``most_bytes`` as float32, in whole chunks up to 8 times that."""
        frame = 4 * self.shape[1] * self.shape[2]
        chunk = max(1, min(self.source.chunk, 8 * most_bytes // frame))
        return chunk * max(1, most_bytes // (frame * chunk))

    def origin(self, indices: ArrayLike) -> list[tuple[PatternFile, int]]:
        """The file that stores each of some frames, and the frame's number in it."""
        return [(self, int(i)) for i in self.check_indices(indices)]

    def _measured(self, block: NDArray[Any], start: int, stop: int) -> NDArray[Any]:
        """Frames start..stop with unmeasured pixels set to 0 in place, whatever they held, NaN included."""
        keep = self._keep(start, stop)
        if keep is None:
            return block
        if block.dtype.kind in "iu":
            block *= keep.astype(block.dtype)  # twice as fast as copyto, but keeps NaN
        else:
            np.copyto(block, 0, where=~keep)
        return block

    def check_indices(self, indices: ArrayLike) -> NDArray[np.int64]:
        """Frame numbers as int64 (n,), all inside the file."""
        index = np.atleast_1d(np.asarray(indices, dtype=np.int64))
        if len(index) and not (index.min() >= 0 and index.max() < len(self)):
            wrong = index[(index < 0) | (index >= len(self))][0]
            raise UserError(f"{self.path}: frame {wrong} is not there; the file has frames 0 to {len(self) - 1}")
        return index


def runs(index: NDArray[np.int64], chunk: int) -> Iterator[tuple[int, int, Any, Any]]:
    """Cut frame numbers into stretches worth one read: neighbours, and frames of one chunk.

    Yields:
        start, stop of the read; where its frames go in the answer; which frames of the read they are (slice = all).
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
