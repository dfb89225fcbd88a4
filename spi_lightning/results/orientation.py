"""Result of orienting patterns, orientation.h5 of its run folder, from which the page is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from spi_lightning.notes import Note
from spi_lightning.summary import Summarised

Array = NDArray[np.float64]
ORIENTATION_FILE: Final = "orientation.h5"


@dataclass(frozen=True, repr=False)
class Examples(Summarised):
    """Patterns beside the slices of the merged intensity at their most probable orientations.

    Attributes:
        frame: (n,) numbers of the patterns.
        photons: (n, h, w) counts.
        expected: (n, h, w) photons expected from the merged intensity.
        classes: (h, w) uint8: 0 pixels for orientations and merging, 1 for merging only, 2 not used.
        correlation: (n,) Pearson's correlation of pattern and slice over the pixels of class 0.
    """

    frame: NDArray[np.int64]
    photons: Array
    expected: Array
    classes: NDArray[np.uint8]
    correlation: Array


@dataclass(frozen=True, repr=False)
class OrientationResult(Summarised):
    """Orientations of N patterns among R sampled orientations, and the merged intensity.

    Attributes:
        frame: (N,) pattern numbers in their file.
        quaternion: (R, 4) sampled orientations, body to laboratory; for symmetry=icosahedral in the body's own frame.
        weight: (R,) share of all rotations that each represents.
        probability: (R,) total probability P_r that patterns give to each sampled orientation.
        best: (N,) index of each pattern's most probable orientation, -1 for none.
        part: (R,) part of the sphere in which each sampled orientation lies, see metrics.uniformity.
        density: (parts,) patterns in each part over those expected of even orientations.
        slices: (3, M, M) central planes of the merged intensity, normal to z, y and x; photons per pixel.
        voxel: Edge of its voxels, 1/m; NaN where the wavelength is unknown.
        symmetry: ``none``, or ``icosahedral`` where equivalent orientations count as one.
        error: (N,) angle from the true orientation, rad; None where that is unknown.
        log: Columns of EMC.log, (iterations,) each.
        examples: Patterns beside their slices; None where there are none.
        notes: Notes on the patterns and their orientations.
        data: File of the patterns; empty where they came as arrays.
    """

    drawn_by: ClassVar[str] = "spi_lightning.reports.drawing:orientation"
    frame: NDArray[np.int64]
    quaternion: Array
    weight: Array
    probability: Array
    best: NDArray[np.int64]
    part: NDArray[np.int64]
    density: Array
    slices: Array
    voxel: float
    symmetry: str
    error: Array | None = None
    log: dict[str, Array] = field(default_factory=dict)
    examples: Examples | None = None
    notes: tuple[Note, ...] = ()
    data: str = ""

    def facts(self) -> Mapping[str, object]:
        """Patterns, sampled orientations and, where they are known, the errors."""
        error = None if self.error is None else f"{np.degrees(np.nanmedian(self.error)):.2f} degrees in the median"
        return {
            "patterns": f"{len(self.frame):,}, {int((self.best >= 0).sum()):,} with an orientation",
            "orientations": f"{len(self.quaternion):,} sampled",
            "symmetry": self.symmetry,
            "error": error,
            "notes": len(self.notes) or None,
        }
