"""Reader of TIFF stacks: one pattern per page, from all series of pages of one shape."""

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Final

import numpy as np
import tifffile
from numpy.typing import NDArray

from spi_lightning.errors import UserError
from spi_lightning.io.hdf5.choice import frame_axes
from spi_lightning.io.hdf5.file import stack_shape
from spi_lightning.io.reading import format_name, reading, unsupported_format
from spi_lightning.notes import Note

from .pattern_file import PatternFile

_HEADER: Final = 8  # bytes
_SMALL: Final = 0.25  # share of the pixels of a frame up to which pages are thumbnails


@dataclass(frozen=True)
class _Page:
    """Location of one frame.

    Attributes:
        page: Number of its page in the file.
        series: Number of its series in the file.
        within: Index of the frame within its series if that is stored as one piece; else None.
    """

    page: int
    series: int
    within: int | None = None


class TiffFrames:
    """Frames (N, H, W) of a TIFF file, which is opened for each read; that is fast compared with decoding.

    All pages of one shape are frames, in the order of the file, whether written together or appended one by one.
    Thumbnails and other smaller pages are left out with a note.

    Raises:
        UserError: The file is damaged, holds colours or pages of different shapes, or is not (N, H, W) or (H, W).
    """

    chunk = 1

    def __init__(self, path: Path) -> None:
        self.path = path
        self.notes: list[Note] = []
        with _opened(path) as tiff:
            numbers, left_out = _of_one_shape(tiff, path)
            frames = [tiff.series[i] for i in numbers]
            kinds = {np.dtype(series.dtype) for series in frames}
            self.dtype: np.dtype[Any] = np.result_type(*kinds)
            edges = _edges(frames[0])
            shape = (_count(frames[0]), *edges) if len(edges) == 2 else edges  # of more axes: refused
            _, height, width = stack_shape(shape, self.dtype, str(path))
            self._pages = sorted((page for i in numbers for page in _pages(tiff, i)), key=lambda page: page.page)
            self.shape: tuple[int, int, int] = (len(self._pages), height, width)
            for series in frames:
                _check_end(series, path)
        if len(kinds) > 1:
            self.notes.append(
                Note.of(f"pages of {', '.join(sorted(map(str, kinds)))} are read as {self.dtype}", str(path))
            )
        for series in frames:
            if len(series.shape) > 3 and len(_edges(series)) == 2:
                self.notes.append(
                    Note.of(
                        f"axes {series.axes} of {_by(series.shape)}: all {_count(series)} pages are read as frames",
                        str(path),
                    )
                )
        if any(_planes(series) for series in frames):
            self.notes.append(Note.of("colour planes, one after another, are read as frames", str(path)))
        if left_out:
            self.notes.append(
                Note.of(f"{len(self._pages)} pages of {height} x {width} are read, not {left_out}", str(path))
            )

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Frames start..stop as stored, (stop - start, H, W)."""
        frames = np.empty((stop - start, *self.shape[1:]), dtype=self.dtype)
        pieces: dict[int, NDArray[Any]] = {}
        with _opened(self.path) as tiff:
            for into, page in enumerate(self._pages[start:stop]):
                if page.within is None:
                    one = tiff.pages[page.page]
                    if min(one.dataoffsets, default=_HEADER) < _HEADER:
                        raise UserError(
                            f"{self.path}: the TIFF file is damaged, page {page.page} starts at byte "
                            f"{min(one.dataoffsets)}, inside the header of the file; copy it again"
                        )
                    frames[into] = one.asarray().reshape(self.shape[1:])
                    continue
                if page.series not in pieces:
                    pieces[page.series] = _whole(tiff, page.series).reshape(-1, *self.shape[1:])
                frames[into] = pieces[page.series][page.within]
        return frames


def _of_one_shape(tiff: tifffile.TiffFile, path: Path) -> tuple[list[int], str]:
    """Indices of the series that hold the frames, and a description of the pages left out."""
    found: Counter[tuple[int, ...]] = Counter()
    if not tiff.series:
        raise UserError(f"{path}: the TIFF file cannot be read (it has no pages); copy it again")
    for series in tiff.series:
        found[_edges(series)] += _count(series)
    grey = {edges: count for edges, count in found.items() if edges}
    if not grey:
        kind, shape = tiff.series[0].keyframe.photometric, tuple(tiff.series[0].shape)
        raise UserError(
            f"{path}: is an image in colours ({getattr(kind, 'name', kind)}, shape {shape}), not photon counts; save "
            "one number per pixel"
        )
    edges = max(grey, key=lambda edges: (grey[edges], prod(edges)))
    thumbs = [other for other in grey if other != edges and prod(other) <= _SMALL * prod(edges)]
    edges = max(grey, key=lambda one: (grey[one] if one not in thumbs else 0, prod(one)))
    rest = {other: count for other, count in grey.items() if other != edges}
    if any(prod(other) > prod(edges) or (count > 1 and other not in thumbs) for other, count in rest.items()):
        listed = ", ".join(f"{count} of {_by(edges)}" for edges, count in grey.items())
        raise UserError(f"{path}: holds pages of different shapes ({listed}); save the patterns alone in one file")
    left_out = [f"{count} of {_by(other)}" for other, count in rest.items()]
    left_out += [f"{found[()]} in colours"] if () in found else []
    return [i for i, series in enumerate(tiff.series) if _edges(series) == edges], ", ".join(left_out)


def _edges(series: tifffile.TiffPageSeries) -> tuple[int, ...]:
    """Rows and columns of the frames of a series; its whole shape if it is not a stack; empty if it has colours."""
    page, shape = series.keyframe, frame_axes(tuple(int(n) for n in series.shape))
    if page.photometric == tifffile.PHOTOMETRIC.PALETTE or (page.samplesperpixel > 1 and not _planes(series)):
        return ()
    hyperstack = tuple(page.shape) == shape[-2:] and not set(series.axes) - set("TZCYX")  # of ImageJ and OME
    pages = len(shape) in (2, 3) or hyperstack
    return shape[-2:] if pages else shape


def _planes(series: tifffile.TiffPageSeries) -> bool:
    """Whether three or four frames are stored as separate colour planes, the default of tifffile."""
    page = series.keyframe
    return page.samplesperpixel > 1 and page.planarconfig == tifffile.PLANARCONFIG.SEPARATE


def _count(series: tifffile.TiffPageSeries) -> int:
    """Number of frames of a series; 1 if they have no pixels, which is refused later."""
    edges = _edges(series)
    pixels = prod(edges) if len(edges) == 2 else 0
    return prod(series.shape) // pixels if pixels else 1


def _by(edges: tuple[int, ...]) -> str:
    return " x ".join(map(str, edges))


def _pages(tiff: tifffile.TiffFile, number: int) -> list[_Page]:
    """Locations of the frames of one series."""
    series, count = tiff.series[number], _count(tiff.series[number])
    pages = [page.index for page in series.pages if page is not None]
    if len(pages) == count and all(isinstance(index, int) for index in pages):
        return [_Page(index, number) for index in pages]
    return [_Page(series.keyframe.index, number, i) for i in range(count)]


def _whole(tiff: tifffile.TiffFile, number: int) -> NDArray[Any]:
    """All values of a series that is stored as one piece, memory-mapped, or decoded if compressed."""
    series = tiff.series[number]
    if series.dataoffset is None:
        return np.asarray(series.asarray())
    kind = np.dtype(series.dtype).newbyteorder(tiff.byteorder)
    return np.memmap(tiff.filehandle.path, kind, "r", series.dataoffset, tuple(series.shape))


@contextmanager
def _opened(path: Path) -> Iterator[tifffile.TiffFile]:
    """Open a TIFF file; UserError for errors that tifffile raises, and for those that it only logs."""
    with reading(path, "TIFF"):
        if format_name(path):
            raise unsupported_format(path, "TIFF")
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


def _check_end(series: tifffile.TiffPageSeries, path: Path) -> None:
    """Refuse a file that ends before the data of the last page of a series."""
    last = series.pages[-1]
    ends = [offset + count for offset, count in zip(last.dataoffsets, last.databytecounts, strict=False)]  # type: ignore[union-attr]
    if ends and max(ends) > path.stat().st_size:
        raise UserError(
            f"{path}: the TIFF file is truncated, {path.stat().st_size} of {max(ends)} bytes; copy it again"
        )


def open_tiff(path: Path) -> PatternFile:
    """Open a TIFF stack (N pages of H x W) or a single image; UserError as TiffFrames."""
    frames = TiffFrames(path)
    return PatternFile(path, "TIFF", frames, notes=frames.notes)
