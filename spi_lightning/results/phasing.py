"""Result of phasing one pattern, phasing.h5 of its run folder, from which the page is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from spi_lightning.metrics.shells import alike
from spi_lightning.notes import Note
from spi_lightning.summary import Summarised

Array = NDArray[Any]
PHASING_FILE: Final = "phasing.h5"


@dataclass(frozen=True)
class PhasingFacts:
    """Facts on the phasing of a pattern and on its starts.

    Attributes:
        data: File of the pattern; empty where it came as an array.
        frame: Axes of a rocking scan's density in words; empty for other patterns.
        recipe, constraint: Iterations as one line, and the constraint on the density.
        support, start: First support and first densities in words.
        counted: Whether the intensities are photons.
        counting_error: Relative Fourier error of the true density from photon noise; None: no photons were counted.
        chance: PRTF of as many unrelated starts; None: there is one start.
        free: Share of the pixels that were not measured.
        identical_starts: Whether all starts began from one density, so that their agreement has no meaning.
        converged_starts: Whether starts that began apart ended at one density.
        sampled_beside: Whether the pattern is asymmetric because its beam lies beside the centre of a pixel.
        polish_steps: Number of L-BFGS steps after the recipe; 0: none.
    """

    data: str = ""
    frame: str = ""
    recipe: str = ""
    constraint: str = "positive"
    support: str = ""
    start: str = "random"
    counted: bool = True
    counting_error: float | None = None
    chance: float | None = None
    free: float = 0.0
    identical_starts: bool = False
    converged_starts: bool = False
    sampled_beside: bool = False
    polish_steps: int = 0


@dataclass(frozen=True, repr=False)
class PhasingResult(Summarised):
    """Density behind one pattern: S starts in 2D or 3D, T iterations, K shells. Origins at n // 2.

    Attributes:
        intensity: (..., y, x) photons or relative intensity, 0 where mask is False.
        mask: (..., y, x) bool, True where measured.
        held_out: (..., y, x) bool, True where measured but not fitted.
        density: (..., y, x) mean of the starts that were kept, float or complex.
        support: (..., y, x) bool, where most of the kept starts have theirs.
        start_support: (..., y, x) bool, first support.
        starts: (S, ..., y, x) density of each start, aligned to the best.
        error: (T, S) relative Fourier error during the recipe.
        final_error: (S,) relative Fourier error of each start at its end, after a polish if there was one.
        held_out_error: (S,) the same on the pixels held out; NaN without any.
        kept: (S,) bool, False for starts that failed.
        frequency: (K,) centre of each shell, 1/m, or 1/pixel where ``even`` is False.
        prtf, prtf_modulus, fsc: (K,) curves; fsc is empty unless two halves of the photons were phased.
        prtf_corrected: (K,) prtf less that of unrelated phases.
        half_bit: (K,) half-bit threshold of fsc; empty where fsc is.
        pixel: Edge of a density pixel along each axis, m; 1 where ``known`` is False.
        known: Whether the geometry, and with it lengths, are known.
        truth: (..., y, x) true density of a simulated pattern, aligned like the result; None where unknown.
        point_spread: (S, axes) root mean square widths of a blur by partial coherence that a polish fitted, pixels of
            the pattern; the errors are then of blurred patterns. None: none was fitted.
        notes: Notes on the data, the starts and the result.
        about: Facts on the phasing.
    """

    drawn_by: ClassVar[str] = "spi_lightning.reports.drawing:phasing"
    intensity: Array
    mask: Array
    held_out: Array
    density: Array
    support: Array
    start_support: Array
    starts: Array
    error: Array
    final_error: Array
    held_out_error: Array
    kept: Array
    frequency: Array
    prtf: Array
    prtf_modulus: Array
    prtf_corrected: Array
    fsc: Array
    half_bit: Array
    pixel: Array
    known: bool
    truth: Array | None = None
    point_spread: Array | None = None
    notes: tuple[Note, ...] = ()
    about: PhasingFacts = field(default_factory=PhasingFacts)

    def facts(self) -> Mapping[str, object]:
        """Density, starts, errors and size of the support."""
        held_out = float(np.nan_to_num(self.held_out_error[self.best], nan=-1.0))
        return {
            "file": self.about.data or "array",
            "density": f"{' x '.join(map(str, self.density.shape))} {self.element}s, {self.about.constraint}",
            "starts": f"{int(self.kept.sum())} of {len(self.kept)} agree",
            "error": f"{self.final_error[self.best]:.3g} relative Fourier error of the best",
            "held out": None if held_out < 0 else f"{held_out:.3g} on pixels that were not fitted",
            "support": f"{int(self.support.sum()):,} {self.element}s",
            "notes": len(self.notes) or None,
        }

    @property
    def even(self) -> bool:
        """Whether edges of a pixel are known and alike, so that a shell has one frequency in 1/m."""
        return self.known and alike(self.pixel)

    @property
    def best(self) -> int:
        """Index of the start of least relative Fourier error among the kept ones."""
        return int(np.where(self.kept, self.final_error, np.inf).argmin())

    @property
    def misfit(self) -> float:
        """Relative Fourier error of the best kept start beyond what photon noise explains."""
        error, noise = float(self.final_error[self.best]), self.about.counting_error or 0.0
        return float(max(0.0, error**2 - noise**2) ** 0.5)

    @property
    def element(self) -> str:
        """``pixel`` in 2D, ``voxel`` in 3D."""
        return "voxel" if self.density.ndim == 3 else "pixel"
