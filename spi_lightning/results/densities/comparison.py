"""Result of a comparison of densities, densities.h5 of its run folder, from which the page is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from spi_lightning.metrics.shells import resolutions
from spi_lightning.notes import Note
from spi_lightning.summary import Summarised

Array = NDArray[Any]
DENSITIES_FILE: Final = "densities.h5"
CRITERIA: Final = {"0.5": "0.5", "0.143": "0.143", "half_bit": "half a bit"}
"""Thresholds of the correlation: name in metrics.json -> words."""


@dataclass(frozen=True, repr=False)
class AlignedDensity(Summarised):
    """Alignment of a density with the first: factor * rho(R^T (r - shift)), rho being its twin where ``twin`` is True.

    Attributes:
        quaternion: (4,) rotation R, w, x, y, z; about z in 2D.
        angle: Angle of the rotation, degree.
        shift: (ndim,) translation after the rotation, voxel, ordered z, y, x.
        twin: Whether the twin was taken: rho(-r) of a real density, rho*(-r) of a complex one.
        sign: Contrast of a real density, 1 or -1; of a complex one 1.
        phase: Global phase of a complex density, rad; of a real one 0.
        overlap: |<density, first>| / (norms), 0 to 1.
        rival: Overlap of the best other rotation or twin over that of this one; NaN where none was sought or found.
        margin: Difference of those two overlaps in standard deviations of white noise; infinite without another.
        agreed, refined: Candidates of the search that ended at this alignment, and all that were refined.
    """

    quaternion: Array
    angle: float
    shift: Array
    twin: bool
    sign: int
    phase: float
    overlap: float
    rival: float
    margin: float
    agreed: int
    refined: int


@dataclass(frozen=True, repr=False)
class DensityPair(Summarised):
    """Correlation of two of the aligned densities over S shells.

    Attributes:
        first, second: Their numbers in ``names``.
        curve: (S,) correlation that the thresholds are compared with; within a mask, the corrected one.
        unmasked: (S,) correlation without the mask; the same as ``curve`` where there is none.
        masked, randomised: (S,) correlation within the mask before the correction, and that of randomised phases; empty
            where there is no mask.
        beyond: Frequency from which phases were randomised, cycles per voxel; NaN: they were not.
        crossing: Frequency at which ``curve`` first falls below each of CRITERIA, cycles per voxel; NaN: it never does.
    """

    first: int
    second: int
    curve: Array
    unmasked: Array
    masked: Array
    randomised: Array
    beyond: float
    crossing: dict[str, float]


@dataclass(frozen=True, repr=False)
class DensityComparison(Summarised):
    """N densities on one grid, aligned with the first, and the correlation of every two; S shells.

    Attributes:
        names: Short name of each.
        sources: File or run folder of each; empty for arrays.
        densities: (N, spatial) float32 or complex64, origin at n // 2, of norm 1.
        mask: (spatial) float32 soft mask; None: there is none.
        alignments: Alignment of each but the first.
        pairs: Correlation of every two, the first with all others first.
        frequency: (S,) mean frequency of each shell, cycles per voxel.
        voxels: (S,) number of Fourier components of each shell.
        half_bit: (S,) half-bit threshold of each shell.
        chance: (S,) three standard deviations of the correlation of unrelated noise.
        voxel: Edge of a voxel, m; 1 where ``known`` is False.
        known: Whether the edge of a voxel is known, so that resolutions are in nm and not in voxels.
        align: Freedoms of the alignment, ``rotation``, ``shift`` or ``none``.
        notes: Notes on files, resampling and alignment.
        metrics: Numbers of metrics.json by name.

    Examples:
        >>> import numpy as np
        >>> from spi_lightning import compare_densities
        >>> z, y, x = np.indices((16, 16, 16)) - 8
        >>> body = (abs(z) < 4) * (abs(y) < 3) * (abs(x + y) < 3) * 1.0
        >>> compared = compare_densities(body, np.roll(body, 1, 0), align="shift")
        >>> round(float(compared.pairs[0].curve.min()), 3)
        1.0
    """

    drawn_by: ClassVar[str] = "spi_lightning.reports.drawing:densities"
    names: tuple[str, ...]
    sources: tuple[str, ...]
    densities: Array
    mask: Array | None
    alignments: tuple[AlignedDensity, ...]
    pairs: tuple[DensityPair, ...]
    frequency: Array
    voxels: Array
    half_bit: Array
    chance: Array
    voxel: float
    known: bool
    align: str = "rotation"
    notes: tuple[Note, ...] = ()
    metrics: dict[str, Any] = field(default_factory=dict)

    def facts(self) -> Mapping[str, object]:
        """Densities, grid, alignment and the resolutions of the first two."""
        edge = f"{1e9 * self.voxel:.3g} nm" if self.known else "of unknown size"
        shape = " x ".join(map(str, self.densities.shape[1:]))
        lines = {f"{self.curve_name} {words}": self.period(self.pairs[0], name) for name, words in CRITERIA.items()}
        return {
            "densities": ", ".join(self.names),
            "grid": f"{shape} {self.element}s {edge}",
            "overlap": self.alignments[0].overlap,
            **lines,
            "notes": len(self.notes) or None,
        }

    @property
    def element(self) -> str:
        """``pixel`` in 2D, ``voxel`` in 3D."""
        return "voxel" if self.densities.ndim == 4 else "pixel"

    @property
    def curve_name(self) -> str:
        """``FSC`` of volumes, ``FRC`` of images."""
        return "FSC" if self.densities.ndim == 4 else "FRC"

    def period(self, pair: DensityPair, criterion: str) -> str:
        """Full period 1 / q at which a pair falls below a criterion, in words with its unit.

        Args:
            pair: One of ``pairs``.
            criterion: One of CRITERIA.
        """
        frequency = pair.crossing[criterion]
        if not np.isfinite(frequency):
            return f"{self._length(0.5)}, the edge of the data"
        return self._length(frequency)

    def _length(self, frequency: float) -> str:
        if not self.known:
            return f"{1 / frequency:.3g} {self.element}s"
        return f"{resolutions('', frequency, [self.voxel])['/resolution_nm']:.3g} nm"
