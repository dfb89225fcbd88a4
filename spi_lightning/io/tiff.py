"""TIFF stacks: one pattern a page, read page by page."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from spi_lightning.fields import UserError
from spi_lightning.io.damage import reading
from spi_lightning.io.hdf5_file import stack_shape
from spi_lightning.io.pattern_file import PatternFile


class TiffFrames:
    """Pages of a TIFF file; opened for each read, which costs little beside decoding.

    Raises:
        UserError: The file is damaged or has other axes than (N, H, W) or (H, W).
    """

    chunk = 1

    def __init__(self, path: Path) -> None:
        self.path = path
        with _opened(path) as tiff:
            series = tiff.series[0]
            self.shape = stack_shape(tuple(series.shape), np.dtype(series.dtype), str(path))
            self.dtype: np.dtype[Any] = np.dtype(series.dtype)
            self.paged = len(series.pages) == self.shape[0]
            _check_end(tiff, path)

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Frames start..stop as stored, (stop - start, H, W)."""
        with _opened(self.path) as tiff:
            if self.paged:
                pages = tiff.series[0].pages
                return np.stack([np.asarray(pages[i].asarray()) for i in range(start, stop)])  # type: ignore[union-attr]
            if tiff.series[0].dataoffset is None:  # compressed as one piece
                return np.array(tiff.series[0].asarray().reshape(self.shape)[start:stop])
        return np.array(tifffile.memmap(self.path, mode="r").reshape(self.shape)[start:stop])


@contextmanager
def _opened(path: Path) -> Iterator[tifffile.TiffFile]:
    """Open a TIFF file; UserError for what tifffile raises, and for what it merely logs and then reads in part."""
    complaints: list[str] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = lambda record: complaints.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("tifffile")
    propagate, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    try:
        with reading(path, "TIFF"), tifffile.TiffFile(path) as tiff:
            yield tiff
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagate
    if complaints:
        raise UserError(f"{path}: the TIFF file is damaged or truncated ({complaints[0]}); copy it again")


def _check_end(tiff: tifffile.TiffFile, path: Path) -> None:
    """Refuse a file that ends before the data of its last page."""
    last = tiff.series[0].pages[-1]
    ends = [offset + count for offset, count in zip(last.dataoffsets, last.databytecounts, strict=False)]  # type: ignore[union-attr]
    if ends and max(ends) > path.stat().st_size:
        raise UserError(
            f"{path}: the TIFF file is truncated, {path.stat().st_size} of {max(ends)} bytes; copy it again"
        )


def open_tiff(path: Path) -> PatternFile:
    """Open a TIFF stack (N pages of H x W) or a single image; UserError as TiffFrames."""
    return PatternFile(path, "TIFF", TiffFrames(path))
