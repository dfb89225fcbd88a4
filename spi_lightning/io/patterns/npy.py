"""Reader of NumPy .npy stacks, memory-mapped and read frame by frame."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spi_lightning.io.damage import reading
from spi_lightning.io.hdf5.choice import frame_axes
from spi_lightning.io.hdf5.file import stack_shape

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
