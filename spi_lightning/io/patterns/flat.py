"""Frames that lie in a file one after another as plain numbers, as many detectors write them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from spi_lightning.errors import UserError
from spi_lightning.io.damage import reading


class FlatFrames:
    """Uncompressed frames of a file of any format that is told by its header; holds no open handle.

    Args:
        path: The file.
        shape: Number of frames, rows, columns.
        dtype: Number type, with its byte order.
        offset: Bytes of the header.

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
