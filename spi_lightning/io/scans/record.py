"""A rocking scan as read from files of any kind, before anything is corrected."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from spi_lightning.notes import Note


@dataclass
class ScanKeys:
    """Names of data sets in an HDF5 scan, or of files beside it (.tif, .npy).

    None: the usual names are tried, and for counts the only data set with three axes.
    """

    counts: str | None = None
    angle: str | None = None
    monitor: str | None = None
    whitefield: str | None = None
    dark: str | None = None
    bad_pixels: str | None = None


@dataclass
class BraggScan:
    """Counts of a rocking scan and what is known about them.

    Attributes:
        counts: (frames, rows, columns) float32; NaN where nothing was measured, infinite where saturated; the notes
            tell of both.
        angle_deg, monitor: (frames,) float64 or None.
        whitefield, dark, bad_pixels: (rows, columns) float32 or None.
        whitefield_mean: Of the full detector, if the file says it.
        geometry: What the file says of BraggGeometry's quantities.
        corner: Row and column of the detector's full frames at which these frames begin.
        notes: What the reader chose and mended.
        sources: Data set or file that angle, monitor, whitefield, dark and bad_pixels were read from.
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
        """Take voxels of a mask with all of the scan's axes, e.g. of a gap that moves, as not measured."""
        self.counts = torch.where(bad, torch.nan, self.counts)
        self.notes.append(Note.of(f"{int(bad.sum())} voxels are bad by the mask of every frame: taken as not measured"))
