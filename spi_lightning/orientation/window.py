"""Patterns that go to EMC, and the square of the detector around the beam."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spi_lightning.errors import UserError
from spi_lightning.fields import BEAM_CENTRE, DISTANCE, PIXEL_SIZE
from spi_lightning.io import PatternFile, PatternKeys, open_patterns, read_detector
from spi_lightning.notes import Note

from .settings import DetectorGeometry

_SELECTION: Final = ("selected.cxi", "selected.emc")


def open_source(
    path: str | Path,
    keys: PatternKeys | None = None,
    mask_convention: str = "auto",
    adu_per_photon: float | None = None,
) -> PatternFile:
    """Open a file of patterns, or the selection of an evaluation run by the folder of either.

    Args:
        path: File of patterns, run folder, or the folder selection/ in it.
        keys, mask_convention, adu_per_photon: As io.open_patterns takes them.

    Raises:
        UserError: What open_patterns raises; a folder without a selection.
    """
    folder, keys = Path(path), keys or PatternKeys()
    if not folder.is_dir():
        return open_patterns(path, keys, mask_convention, adu_per_photon)
    homes = [home for home in (folder, folder / "selection") if any((home / name).is_file() for name in _SELECTION)]
    if not homes:
        raise UserError(
            f"{path}: holds no selection/{_SELECTION[1]} of an evaluation run; give a run, or a file of patterns"
        )
    try:
        return open_patterns(homes[0] / _SELECTION[0], keys, mask_convention)
    except UserError:  # its links lead to files that have moved; the .emc has copies
        detector = homes[0] / "detector.h5"
        mask = keys.mask or (str(detector) if detector.is_file() else None)
        return open_patterns(homes[0] / _SELECTION[1], replace(keys, mask=mask), mask_convention)


@dataclass(frozen=True)
class Window:
    """The part of the detector that is used.

    Attributes:
        rows, columns: Slices of the file's patterns, whole squares of ``bin`` pixels.
        bin: Number of pixels summed along each axis.
        beam_centre: Row, column in binned pixels of the window.
        distance: Distance from the particle to the detector, binned pixels.
    """

    rows: slice
    columns: slice
    bin: int
    beam_centre: tuple[float, float]
    distance: float

    def cut(self, photons: NDArray[Any]) -> NDArray[Any]:
        """(n, H, W) -> (n, h, w) sums; of masks, the number of measured pixels."""
        part = photons[:, self.rows, self.columns]
        count, height, width = part.shape
        part = part.reshape(count, height // self.bin, self.bin, width // self.bin, self.bin)
        return np.asarray(part.sum(axis=(2, 4)))


def find_window(
    patterns: PatternFile, detector: DetectorGeometry | None = None, crop: int | None = None, bin: int = 1
) -> Window:
    """The square around the beam that is used, with the geometry of its binned pixels.

    Args:
        patterns: File whose own geometry is used where ``detector`` states none.
        detector: Geometry instead of the file's; None: as the file has it.
        crop: Edge of the square in pixels of the file; None: the largest there is.
        bin: Number of pixels to sum along each axis.

    Raises:
        UserError: Geometry unknown, or not the same for all; crop or bin that do not fit.
    """
    detector = detector or DetectorGeometry()
    centre, ratio = _beam_centre(patterns, detector), _distance(patterns, detector)
    if bin < 1 or bin != int(bin):
        raise UserError(f"bin={bin}: give a whole number, 1 or more")
    reach = [min(c + 0.5, n - c - 0.5) for c, n in zip(centre, patterns.shape[1:], strict=True)]
    largest = int(2 * max(0.0, min(reach)) // bin * bin)
    edge = largest if crop is None else int(crop)
    edge = edge // bin * bin
    if largest < 8 * bin:
        raise UserError(
            f"{patterns.path}: the beam, at row {centre[0]:.1f}, column {centre[1]:.1f} of {patterns.shape[1]} x "
            f"{patterns.shape[2]} pixels, leaves no square of 8 pixels binned by {bin} around it: give the row and "
            "column of the beam with detector.beam_centre=[row,column], or a smaller bin="
        )
    if edge < 8 * bin or edge > largest + 2 * bin:
        raise UserError(
            f"crop={crop}: with the beam at row {centre[0]:.1f}, column {centre[1]:.1f} of {patterns.shape[1]} x "
            f"{patterns.shape[2]} pixels and bin={bin} a crop may be {8 * bin} to {largest}"
        )
    starts = [
        int(np.clip(round(c + 0.5 - edge / 2), 0, n - edge)) for c, n in zip(centre, patterns.shape[1:], strict=True)
    ]
    row, column = ((c - start + 0.5) / bin - 0.5 for c, start in zip(centre, starts, strict=True))
    rows, columns = (slice(start, start + edge) for start in starts)
    return Window(rows, columns, int(bin), (row, column), ratio / bin)


def _distance(patterns: PatternFile, detector: DetectorGeometry) -> float:
    """Particle to detector in pixels of the file."""
    known = {name: getattr(detector, name) or patterns.geometry.get(name) for name in (DISTANCE, PIXEL_SIZE)}
    if any(value is None for value in known.values()):
        beside = patterns.path.with_name("detector.h5")
        if beside.is_file() and all(getattr(detector, name) is None for name in known):
            return read_detector(beside).distance
        raise UserError(
            f"{patterns.path}: does not say where its detector was; add detector.distance=0.58 "
            "detector.pixel_size=6e-4 (m) with the values of your experiment"
        )
    ratio = np.unique(np.asarray(known[DISTANCE], np.float64) / np.asarray(known[PIXEL_SIZE], np.float64))
    if not np.isfinite(ratio).all() or ratio.min() <= 0 or np.ptp(ratio) > 1e-3 * ratio[0]:
        raise UserError(
            f"{patterns.path}: distance over pixel size runs from {ratio.min():.6g} to {ratio.max():.6g}; EMC "
            "takes patterns of one detector: choose those of one geometry with data.keys.index="
        )
    return float(ratio.mean())


def _beam_centre(patterns: PatternFile, detector: DetectorGeometry) -> tuple[float, float]:
    """Row and column of the beam, pixels of the file; says where it is unknown or not the same for all."""
    middle = [(n - 1) / 2 for n in patterns.shape[1:]]
    stored = patterns.geometry.get(BEAM_CENTRE) if detector.beam_centre is None else detector.beam_centre
    centre = np.atleast_2d(np.asarray(middle if stored is None else stored, dtype=np.float64))
    if centre.shape[-1] != 2 or not np.isfinite(centre).all():
        raise UserError("detector.beam_centre: give the row and column of the beam, e.g. [63.5,64.1]")
    if stored is None:
        patterns.notes.append(Note.of("beam centre unknown, taken as the middle of the array", str(patterns.path)))
    spread = np.ptp(centre, axis=0).max()
    if spread > 0.5:
        patterns.notes.append(
            Note.of(f"beam centres differ by up to {spread:.1f} pixels; their median is used", str(patterns.path))
        )
    row, column = np.median(centre, axis=0)
    return float(row), float(column)
