"""BraggScan, a rocking scan as read from files of any format, before corrections."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from spi_lightning.notes import Note


@dataclass
class ScanKeys:
    """Names of data sets in an HDF5 scan, or of side files (.tif, .npy).

    None searches the usual names, and for counts the only data set with three axes.
    """

    counts: str | None = None
    angle: str | None = None
    monitor: str | None = None
    whitefield: str | None = None
    dark: str | None = None
    bad_pixels: str | None = None


@dataclass
class BraggScan:
    """Counts of a rocking scan with their metadata.

    Attributes:
        path: Path of the file or folder.
        counts: (frames, rows, columns) float32; NaN where not measured, infinite where saturated; both are noted.
        angle_deg, monitor: Rocking angle, degree, and monitor, any unit; (frames,) float64 or None.
        whitefield, dark, bad_pixels: Images of the detector, (rows, columns) float32 or None; bad pixels are 1.
        whitefield_mean: Mean of the whitefield over the full detector, if the file states it.
        geometry: Quantities of BraggGeometry that the file states, m, eV and degree.
        corner: Row and column of the full detector at which the frames start, pixel.
        notes: Choices and corrections of the reader.
        sources: Data set or file that angle, monitor, whitefield, dark and bad_pixels were read from, by name.
    """

    path: Path
    counts: Tensor
    angle_deg: Tensor | None = None
    monitor: Tensor | None = None
    whitefield: Tensor | None = None
    dark: Tensor | None = None
    bad_pixels: Tensor | None = None
    whitefield_mean: float | None = None
    geometry: dict[str, Any] = field(default_factory=dict)
    corner: tuple[int, int] = (0, 0)
    notes: list[Note] = field(default_factory=list)
    sources: dict[str, str] = field(default_factory=dict)

    def leave_out(self, bad: Tensor) -> None:
        """Set voxels of a mask (frames, rows, columns) bool, e.g. of a moving gap, to NaN, not measured."""
        self.counts = torch.where(bad, torch.nan, self.counts)
        self.notes.append(Note.of(f"{int(bad.sum())} voxels are bad by the mask of every frame: taken as not measured"))
