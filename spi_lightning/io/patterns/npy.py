"""Frames stored as plain numbers: arrays in memory, NumPy .npy stacks, and any file whose header is known."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from spi_lightning.errors import UserError
from spi_lightning.io.hdf5.choice import frame_axes
from spi_lightning.io.hdf5.file import stack_shape
from spi_lightning.io.reading import reading
from spi_lightning.summary import Summarised

from .pattern_file import PatternFile


class NpyFrames:
    """Frames (N, H, W) of a .npy file, memory-mapped on the first read in each process."""

    chunk = 1

    def __init__(self, path: Path) -> None:
        self.path = path
        self._mapped: tuple[int, NDArray[Any]] | None = None
        stack = self._map()
        self.shape = stack_shape(frame_axes(stack.shape), stack.dtype, str(path))
        self.dtype: np.dtype[Any] = stack.dtype

    def _map(self) -> NDArray[Any]:
        with reading(self.path, "a plain number array of numpy.save"):
            mapped: NDArray[Any] = np.load(self.path, mmap_mode="r", allow_pickle=False)
        return mapped

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Frames start..stop as stored, (stop - start, H, W)."""
        if self._mapped is None or self._mapped[0] != os.getpid():
            self._mapped = (os.getpid(), self._map())
        return np.array(self._mapped[1].reshape(self.shape)[start:stop])

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_mapped": None}


def open_npy(path: Path) -> PatternFile:
    """Open a .npy array (N, H, W) or (H, W). Raises UserError if it is damaged, holds objects or has other axes."""
    return PatternFile(path, ".npy", NpyFrames(path))


@dataclass(frozen=True, repr=False)
class ArrayFrames(Summarised):
    """Frames, or other images of one each, that are in memory already.

    Args:
        values: (N, H, W) photons or intensities, or masks, of N patterns.
    """

    values: NDArray[Any]
    chunk: int = 1

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the stack, (N, H, W)."""
        return self.values.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Number type of the values."""
        return self.values.dtype

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Frames start..stop as a copy, (stop - start, H, W)."""
        return self.values[start:stop].copy()


class FlatFrames:
    """Uncompressed frames (N, H, W) behind a header of known length, memory-mapped; holds no open handle.

    Args:
        path: Path of the file.
        shape: Number of frames, rows and columns, (N, H, W).
        dtype: Number type of the values, with its byte order.
        offset: Length of the header, bytes.

    Raises:
        UserError: The file is shorter than its header says.
    """

    chunk = 1

    def __init__(self, path: Path, shape: tuple[int, int, int], dtype: DTypeLike, offset: int = 0) -> None:
        self.path, self.shape, self.dtype, self.offset = path, shape, np.dtype(dtype), offset
        needed, there = offset + int(np.prod(shape, dtype=object)) * self.dtype.itemsize, path.stat().st_size
        if there < needed:
            raise UserError(f"{path}: the file is truncated, {there} of {needed} bytes; copy it again")

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Frames start..stop as stored, (stop - start, H, W)."""
        frame = self.shape[1] * self.shape[2]
        first = self.offset + start * frame * self.dtype.itemsize
        with reading(self.path, "plain numbers"):
            values = np.fromfile(self.path, self.dtype, (stop - start) * frame, offset=first)
            return values.reshape(stop - start, *self.shape[1:])
