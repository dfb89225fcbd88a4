"""TIFF stacks: one pattern a page, read page by page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from spi_lightning.fields import UserError
from spi_lightning.io.hdf5_file import stack_shape
from spi_lightning.io.pattern_file import PatternFile


class TiffFrames:
    """Pages of a TIFF file; opened for each read, which costs little beside decoding."""

    chunk = 1

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with tifffile.TiffFile(path) as tiff:
                series = tiff.series[0]
                self.shape = stack_shape(tuple(series.shape), np.dtype(series.dtype), str(path))
                self.dtype: np.dtype[Any] = np.dtype(series.dtype)
                self.paged = len(series.pages) == self.shape[0]
        except (tifffile.TiffFileError, ValueError, OSError, IndexError) as error:
            raise UserError(f"{path}: the TIFF file cannot be read ({error}); copy it again") from error

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Frames start..stop as stored, (stop - start, H, W)."""
        try:
            with tifffile.TiffFile(self.path) as tiff:
                series = tiff.series[0]
                if self.paged:
                    return np.stack([series.pages[i].asarray() for i in range(start, stop)])  # type: ignore[union-attr]
            stack = tifffile.memmap(self.path, mode="r") if self.shape[0] > 1 else tifffile.imread(self.path)[None]
            return np.array(stack[start:stop]).reshape(stop - start, *self.shape[1:])
        except (tifffile.TiffFileError, ValueError, OSError) as error:
            raise UserError(f"{self.path}: frames {start} to {stop - 1} cannot be read ({error})") from error


def open_tiff(path: Path) -> PatternFile:
    """Open a TIFF stack (N pages of H x W) or a single image. Raises UserError if it is damaged or has other axes."""
    return PatternFile(path, "TIFF", TiffFrames(path))
