"""Layouts in which Dragonfly .emc files store counts: binary, sparse or dense, and HDF5 lists.

Binary, little-endian int32: num_data, num_pix, type (0 sparse, 1 dense int32, 2 dense float64), padding to 1024 bytes;
sparse: ones[num_data], multi[num_data], place_ones, place_multi, count_multi; dense: frames in order. HDF5: num_pix
and, for each frame, lists place_ones, place_multi, count_multi. Pixel numbers are those of the flattened detector.
Source: Ayyer et al. (2016), J. Appl. Cryst. 49, 1320, and the file format page of Dragonfly.
"""

import os
from pathlib import Path
from typing import Any, Final, Protocol

import h5py
import numpy as np
from numpy.typing import NDArray

from spi_lightning.errors import UserError
from spi_lightning.io.hdf5.file import MAGIC, dataset, opened
from spi_lightning.physics.frames.sentinels import LIMIT

HEADER: Final = 1024  # bytes
_LISTS: Final = ("place_ones", "place_multi", "count_multi")


class StoredFrames(Protocol):
    """Frames in one of the two layouts: their number, the pixels of each, and the number type."""

    patterns: int
    pixels: int
    dtype: np.dtype[Any]

    def flat(self, start: int, stop: int) -> NDArray[Any]:
        """Frames start..stop as (n, pixels)."""
        ...


class BinaryFrames:
    """Frames in the binary layout, memory-mapped on the first read in each process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        head = np.fromfile(path, "<i4", 3)
        self.patterns, self.pixels, self.kind = (int(n) for n in head)
        self.dtype: np.dtype[Any] = np.dtype(("<i4", "<i4", "<f8")[self.kind])
        size, expected = path.stat().st_size - HEADER, self.patterns * self.pixels * self.dtype.itemsize
        if self.kind == 0:
            counts = np.fromfile(path, "<i4", 2 * self.patterns, offset=HEADER)
            if len(counts) == 2 * self.patterns:
                if counts.min(initial=0) < 0:
                    raise UserError(f"{path}: the emc file is damaged: a list of {counts.min()} pixels; copy it again")
                ones, multi = counts.astype(np.int64).reshape(2, self.patterns)
                self._ones, self._multi = np.r_[0, ones.cumsum()], np.r_[0, multi.cumsum()]
                expected = 4 * int(2 * self.patterns + self._ones[-1] + 2 * self._multi[-1])
            else:
                expected = 8 * self.patterns
        self._mapped: tuple[int, NDArray[Any]] | None = None
        if size > expected:
            raise UserError(
                f"{path}: the emc file holds {size} bytes of data, {expected} by its header and lists; write it again"
            )
        if size < expected:
            raise UserError(
                f"{path}: the emc file is truncated, it holds {size} of {expected} bytes of data; copy it again"
            )

    def flat(self, start: int, stop: int) -> NDArray[Any]:
        """Frames start..stop as (n, pixels)."""
        if self._mapped is None or self._mapped[0] != os.getpid():
            self._mapped = (os.getpid(), np.memmap(self.path, self.dtype, "r", offset=HEADER))
        data = self._mapped[1]
        if self.kind != 0:
            dense: NDArray[Any] = data[start * self.pixels : stop * self.pixels].reshape(-1, self.pixels)
            return np.array(dense)
        ones_at = 2 * self.patterns
        multi_at = ones_at + int(self._ones[-1])
        counts_at = multi_at + int(self._multi[-1])
        ones, multi = self._ones[start : stop + 1], self._multi[start : stop + 1]
        pixels_of_one = data[ones_at + ones[0] : ones_at + ones[-1]]
        pixels_of_more = data[multi_at + multi[0] : multi_at + multi[-1]]
        counts = data[counts_at + multi[0] : counts_at + multi[-1]]
        lengths = np.diff(ones), np.diff(multi)
        return _fill(self.path, self.pixels, start, *lengths, pixels_of_one, pixels_of_more, counts)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_mapped": None}


class Hdf5Lists:
    """Frames in the HDF5 layout."""

    dtype: np.dtype[Any] = np.dtype(np.int32)

    def __init__(self, path: Path) -> None:
        self.path = path
        with opened(path) as file:
            missing = [name for name in _LISTS if name not in file]
            if missing:
                raise UserError(f"{path}: the HDF5 emc file lacks {', '.join(missing)}; write it again")
            lengths = {name: len(dataset(file, name)) for name in _LISTS}
            if len(set(lengths.values())) > 1:
                listed = ", ".join(f"{number} lists {name}" for name, number in lengths.items())
                raise UserError(f"{path}: the emc file is damaged: {listed}, not one of each per frame; write it again")
            self.patterns, self.pixels = lengths["place_ones"], _pixels(dataset(file, "num_pix"), path)

    def flat(self, start: int, stop: int) -> NDArray[Any]:
        """Frames start..stop as (n, pixels)."""
        with opened(self.path) as file:
            lists = [[self._whole_numbers(row, name) for row in file[name][start:stop]] for name in _LISTS]
        ones, multi, counts = (np.array([len(row) for row in rows], np.int64) for rows in lists)
        if (multi != counts).any():
            first = int(np.argmax(multi != counts))
            raise UserError(
                f"{self.path}: the emc file is damaged: frame {start + first} has {multi[first]} pixels in place_multi "
                f"and {counts[first]} numbers in count_multi; write it again"
            )
        empty = np.empty(0, np.int32)
        pixels_of_one, pixels_of_more, of_pixels = (np.concatenate([empty, *rows]) for rows in lists)
        return _fill(self.path, self.pixels, start, ones, multi, pixels_of_one, pixels_of_more, of_pixels)

    def _whole_numbers(self, stored: Any, name: str) -> NDArray[np.int64]:
        """List of whole numbers (n,), stored in any number type."""
        row = np.asarray(stored)
        if row.ndim != 1 or row.dtype.kind not in "uif":
            raise UserError(
                f"{self.path}: the emc file is damaged: {name} does not hold lists of numbers; write it again"
            )
        if row.dtype.kind == "f" and not (np.isfinite(row).all() and (row == np.rint(row)).all()):
            raise UserError(
                f"{self.path}: the emc file is damaged: {name} holds numbers that are not whole; write it again"
            )
        return np.asarray(row, np.int64)


def _pixels(item: h5py.Dataset, path: Path) -> int:
    """Number of pixels of a frame in the HDF5 layout."""
    values = np.unique(item[()])
    if values.dtype.kind not in "uif" or len(values) != 1 or not (values[0] > 0 and values[0] == np.rint(values[0])):
        raise UserError(f"{path}: the emc file is damaged: num_pix is {values}; write it again")
    return int(values[0])


def stored_frames(path: Path) -> StoredFrames:
    """Frames of a file in the layout of its magic bytes."""
    with path.open("rb") as file:
        hdf5 = file.read(8) == MAGIC
    return Hdf5Lists(path) if hdf5 else BinaryFrames(path)


def _fill(
    path: Path,
    pixels: int,
    start: int,
    ones: NDArray[Any],
    multi: NDArray[Any],
    pixels_of_one: NDArray[Any],
    pixels_of_more: NDArray[Any],
    counts: NDArray[Any],
) -> NDArray[np.int32]:
    """Counts (n, pixels) int32 of the sparse lists of n frames.

    Args:
        path: Path of the file, for messages.
        pixels: Number of pixels of a frame.
        start: Number of the first frame, for messages.
        ones, multi: Number of pixels with one photon, and with more, in each frame, (n,).
        pixels_of_one, pixels_of_more: Numbers of these pixels, all frames concatenated.
        counts: Photons in each of pixels_of_more.

    Raises:
        UserError: Pixel numbers outside the frame or named twice, impossible counts.
    """
    for listed in (pixels_of_one, pixels_of_more):
        if len(listed) and not (listed.min() >= 0 and listed.max() < pixels):
            raise UserError(
                f"{path}: the emc file is damaged: a pixel number is outside 0 to {pixels - 1}; copy it again"
            )
    frames = np.zeros((len(ones), pixels), dtype=np.int32)
    frames[np.repeat(np.arange(len(ones)), ones), pixels_of_one] = 1
    of_multi = np.repeat(np.arange(len(multi)), multi)
    frames[of_multi, pixels_of_more] = counts
    wrong = (counts < 0) | (counts >= LIMIT)
    if wrong.any():
        first = int(np.argmax(wrong))
        raise UserError(
            f"{path}: the emc file is damaged: frame {start + of_multi[first]} has {counts[first]} photons in pixel "
            f"{pixels_of_more[first]}; write it again"
        )
    empty = np.bincount(of_multi[counts == 0], minlength=len(multi))
    twice = np.count_nonzero(frames, axis=1) != ones + multi - empty
    if twice.any():
        raise UserError(
            f"{path}: the emc file is damaged: frame {start + int(np.argmax(twice))} names a pixel twice in its lists "
            "place_ones and place_multi; write it again"
        )
    return frames
