"""Reader and writer of Dragonfly .emc photon files, recognised by their content, with their detector file."""

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from math import isqrt
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import ArrayLike, NDArray

from spi_lightning.errors import UserError
from spi_lightning.fields import BEAM_CENTRE
from spi_lightning.files import atomic_write
from spi_lightning.io.hdf5.file import MAGIC, opened, stack_shape
from spi_lightning.io.patterns.assembly import add_mask, add_side_files, split_names
from spi_lightning.io.patterns.pattern_file import PatternFile, PatternKeys, is_none
from spi_lightning.notes import Note
from spi_lightning.write_errors import new_hdf5

from .detector import Detector, is_detector, read_detector
from .emc_layouts import HEADER, StoredFrames, stored_frames

__all__ = ["EmcFrames", "is_emc", "open_emc", "write_emc"]

_DETECTORS: Final = ("detector.h5", "detector.dat", "detector.ini")  # usual names of the detector file


def is_emc(path: Path) -> bool:
    """Whether a file is Dragonfly HDF5 by its keys, or binary by a header whose sizes fit the file."""
    with path.open("rb") as file:
        head = file.read(HEADER)
    if head.startswith(MAGIC):
        with opened(path) as hdf5:
            return "num_pix" in hdf5 and "place_ones" in hdf5
    if len(head) < HEADER or any(head[12:]):
        return False
    patterns, pixels, kind = np.frombuffer(head[:12], "<i4")
    return bool(patterns >= 0 and pixels > 0 and kind in (0, 1, 2))


class EmcFrames:
    """Frames (N, H, W) of an .emc file on a detector of `shape` (H, W), None for a square one.

    Raises:
        UserError: Truncated file, no patterns, or a number of pixels that fits no such detector.
    """

    chunk = 1

    def __init__(self, path: Path, shape: tuple[int, int] | None = None) -> None:
        self.stored: StoredFrames = stored_frames(path)
        side = isqrt(self.stored.pixels)
        rows, columns = shape or (side, side)
        if rows * columns != self.stored.pixels:
            what = f"not {rows} x {columns} as in its detector file" if shape else "not a square"
            raise UserError(
                f"{path}: the detector has {self.stored.pixels} pixels, {what}; name the matching Dragonfly detector "
                "file with data.keys.mask="
            )
        if self.stored.patterns == 0:
            raise UserError(f"{path}: the emc file is empty, it holds no patterns; check the file")
        self.shape = stack_shape((self.stored.patterns, rows, columns), self.stored.dtype, str(path))
        self.dtype = self.stored.dtype

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Frames start..stop, (stop - start, H, W), int32, or float64 if stored so."""
        return self.stored.flat(start, stop).reshape(-1, *self.shape[1:])


def open_emc(path: Path, keys: PatternKeys, convention: str) -> PatternFile:
    """Open a Dragonfly photon file.

    Args:
        path: Path of the .emc file.
        keys: `mask` may name a Dragonfly detector file (HDF5 or ASCII), which defines shape, mask and beam centre (else
            detector.h5 or detector.dat beside it is used), or any mask file; `label` and `particle_id` name side files.
        convention: Convention of a mask that is not a detector file.

    Raises:
        UserError: As EmcFrames, read_detector and add_side_files.
    """
    masks = split_names(keys.mask)
    detectors = [Path(name) for name in masks if Path(name).is_file() and is_detector(Path(name))]
    form, notes = "Dragonfly emc, " + ("HDF5" if h5py.is_hdf5(path) else "binary"), list[Note]()
    detector = read_detector(detectors[0]) if detectors else None
    if detector is None:
        detector, beside, notes = _detector_beside(path)
        detectors += [beside] if beside else []
    try:
        frames = EmcFrames(path, detector.shape if detector else None)
    except UserError as error:
        raise UserError("; ".join(map(str, [error, *notes]))) from error
    patterns = PatternFile(path, form, frames, notes=notes)
    if detector is None:
        rows, columns = patterns.shape[1:]
        patterns.notes.append(
            Note.of(
                f"{rows * columns} pixels without a detector file are taken as a square of {rows} x {columns}; "
                "name the detector file with data.keys.mask=",
                str(path),
            )
        )
    else:
        if not is_none(keys.mask):
            add_mask(patterns, detector.classes, "dragonfly", str(detectors[0]))
        patterns.geometry[BEAM_CENTRE] = np.array(detector.beam_centre)
    others = ",".join(name for name in masks if Path(name) not in detectors) or None
    add_side_files(patterns, replace(keys, mask=others), convention)
    return patterns


def _detector_beside(path: Path) -> tuple[Detector | None, Path | None, list[Note]]:
    """Detector file of a usual name and the right number of pixels beside an .emc file, its path, and notes."""
    notes: list[Note] = []
    for beside in (path.with_name(name) for name in _DETECTORS):
        if not beside.is_file() or beside == path:
            continue
        try:
            detector = read_detector(beside) if is_detector(beside) else None
        except UserError as error:
            notes.append(Note.of(f"{error}; it is not used for {path}"))
            continue
        pixels = stored_frames(path).pixels
        if detector is not None and detector.classes.size == pixels:
            rows, columns = detector.shape
            text = f"{beside} beside it is used as its detector file, {rows} x {columns} pixels"
            return detector, beside, [Note.of(f"{text}; data.keys.mask= names another", str(path))]
        if detector is not None:
            notes.append(
                Note.of(f"has {detector.classes.size} pixels and {path} {pixels}; it is not used for it", str(beside))
            )
    return None, None, notes


Sparse = tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]


def write_emc(path: str | os.PathLike[str], photons: Iterable[ArrayLike], form: str = "binary") -> int:
    """Write patterns as a sparse .emc file.

    Args:
        path: Path of the file, written atomically.
        photons: Batches (n, H, W) or single patterns (H, W) of whole counts >= 0, all of one detector.
        form: "binary" (every version of Dragonfly reads it) or "hdf5".

    Returns:
        Number of patterns written.

    Raises:
        UserError: No patterns, other shapes, negative or fractional counts, unknown form, or a failed write.
    """
    if form not in ("binary", "hdf5"):
        raise UserError(f"emc form={form} is unknown; choose binary or hdf5")
    with atomic_write(Path(path)) as temporary:
        frames = _sparse_frames(photons, Path(path))
        return _write_binary(temporary, frames) if form == "binary" else _write_hdf5(temporary, frames)


def _sparse_frames(photons: Iterable[ArrayLike], path: Path) -> Iterator[tuple[int, Sparse]]:
    """Number of pixels and the lists place_ones, place_multi, count_multi of each pattern, checked to be counts."""
    shape: tuple[int, ...] | None = None
    number = 0
    for item in photons:
        batch = np.asarray(item)
        batch = batch[None] if batch.ndim == 2 else batch
        shape = shape or batch.shape[1:]
        if batch.ndim != 3 or batch.shape[1:] != shape:
            raise UserError(
                f"{path}: pattern {number} has shape {batch.shape[1:]}, those before {shape}; write one detector a file"
            )
        for frame in batch.reshape(len(batch), -1):
            if not (np.isfinite(frame).all() and (frame >= 0).all() and (frame == np.rint(frame)).all()):
                raise UserError(
                    f"{path}: pattern {number} holds NaN, negative or fractional values, which are not photon counts"
                )
            counts = frame.astype(np.int32)
            multi = np.flatnonzero(counts > 1).astype(np.int32)
            yield counts.size, (np.flatnonzero(counts == 1).astype(np.int32), multi, counts[multi])
            number += 1
    if number == 0:
        raise UserError(f"{path}: no patterns were selected, so there is nothing to write")


def _write_binary(temporary: Path, frames: Iterator[tuple[int, Sparse]]) -> int:
    """Write the three lists to unnamed temporary files, then concatenate them after the header."""
    ones: list[int] = []
    multi: list[int] = []
    pixels = 0
    with ExitStack() as stack:
        lists = [stack.enter_context(TemporaryFile(dir=temporary.parent)) for _ in range(3)]
        for size, sparse in frames:
            pixels = size
            ones.append(len(sparse[0]))
            multi.append(len(sparse[1]))
            for file, values in zip(lists, sparse, strict=True):
                file.write(values.astype("<i4").tobytes())
        with temporary.open("wb") as out:
            header = np.zeros(HEADER // 4, "<i4")
            header[:3] = len(ones), pixels, 0
            for values in (header, np.array(ones, "<i4"), np.array(multi, "<i4")):
                out.write(values.tobytes())
            for file in lists:
                file.seek(0)
                shutil.copyfileobj(file, out)
    return len(ones)


def _write_hdf5(temporary: Path, frames: Iterator[tuple[int, Sparse]]) -> int:
    """Append the lists of each pattern to growing data sets."""
    number = 0
    with new_hdf5(temporary) as file:
        kind: Any = h5py.vlen_dtype(np.int32)
        lists = [
            file.create_dataset(name, (0,), kind, maxshape=(None,), chunks=(1024,))
            for name in ("place_ones", "place_multi", "count_multi")
        ]
        for pixels, sparse in frames:
            if number == 0:
                file["num_pix"] = np.array([pixels], np.int32)
            for item, values in zip(lists, sparse, strict=True):
                item.resize(number + 1, axis=0)
                item[number] = values
            number += 1
    return number
