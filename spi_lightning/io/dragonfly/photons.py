"""Reader of Dragonfly .emc photon files, recognised by their content, with their detector file."""

from __future__ import annotations

from dataclasses import replace
from math import isqrt
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from spi_lightning.errors import UserError
from spi_lightning.fields import BEAM_CENTRE
from spi_lightning.io.hdf5.file import MAGIC, opened, stack_shape
from spi_lightning.io.patterns.assembly import add_mask, add_side_files, split_names
from spi_lightning.io.patterns.pattern_file import PatternFile, PatternKeys
from spi_lightning.notes import Note

from .detector import Detector, is_detector, read_detector
from .emc_layouts import HEADER, StoredFrames, stored_frames
from .writer import write_emc

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
