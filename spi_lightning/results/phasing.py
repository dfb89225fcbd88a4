"""Result of phasing one pattern, phasing.h5 of its run folder, from which the page is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, Final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter

from spi_lightning.errors import UserError
from spi_lightning.metrics.extent import surface_points, widths
from spi_lightning.metrics.shells import alike, resolutions
from spi_lightning.notes import Note
from spi_lightning.physics.array import surface_level
from spi_lightning.physics.bragg.laboratory import LaboratoryCrystal, ScanAxes, crystal_in_laboratory
from spi_lightning.summary import Summarised

Array = NDArray[Any]
PHASING_FILE: Final = "phasing.h5"
FEW_STARTS: Final = 4  # that agree; the PRTF of as many unrelated ones is 0.45, above 1/e
_PROJECTED: Final = 0.1  # of the largest |density|: the surface of a particle whose projection thins out to its edge
_OVERFITTED: Final = 0.2  # relative Fourier error on held-out pixels up to which a run is not called overfitted
_FAR: Final = 3.0  # times the error on fitted pixels, and that of photon noise
_POOR: Final = 0.2  # relative Fourier error beyond photon noise of a density that does not explain its pattern


class Unresolved(StrEnum):
    """Reason why a phasing run has no resolution, in a few words."""

    OVERFITTED = "overfitted, as the error on held-out pixels says"
    POOR = "the density does not explain the pattern"
    IDENTICAL = "all starts began from one density"
    FEW = "too few starts agree for a PRTF"


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
        metrics: Numbers of metrics.json by name: errors, ``size/...``, ``prtf/...``, cost.
        axes: Axes of the density in the laboratory, of a rocking scan; None where they are unknown.

    Examples:
        >>> from spi_lightning import phase, simulate_patterns
        >>> patterns = simulate_patterns("hits", 1, shape=[32, 32])
        >>> result = phase(patterns, starts=3, recipe="30*ER", support="circle", progress=False)
        >>> result.starts.shape, result.known
        ((3, 32, 32), True)
        >>> figure = result.plot()
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
    metrics: dict[str, Any] = field(default_factory=dict)
    axes: ScanAxes | None = None

    def in_laboratory(self) -> LaboratoryCrystal:
        """The crystal of a rocking scan in the laboratory frame, with displacement and strain along Q.

        Raises:
            UserError: It is no rocking scan, its geometry is not complete, or the density is real.
        """
        if self.axes is None:
            raise UserError("in_laboratory: no geometry; a rocking scan needs measure_scan(..., geometry={...})")
        if not np.iscomplexobj(self.density):
            raise UserError('in_laboratory: the density is real, without displacement; phase with constraint="complex"')
        return crystal_in_laboratory(torch.from_numpy(self.density), torch.from_numpy(self.support), self.axes)

    def facts(self) -> Mapping[str, object]:
        """Density, starts, errors, size and resolution."""
        held_out = float(np.nan_to_num(self.held_out_error[self.best], nan=-1.0))
        return {
            "file": self.about.data or "array",
            "density": f"{' x '.join(map(str, self.density.shape))} {self.element}s, {self.about.constraint}",
            "starts": f"{int(self.kept.sum())} of {len(self.kept)} agree",
            "error": f"{self.final_error[self.best]:.3g} relative Fourier error of the best",
            "held out": None if held_out < 0 else f"{held_out:.3g} on pixels that were not fitted",
            "support": f"{int(self.support.sum()):,} {self.element}s",
            "size": self._size_in_words(),
            "resolution": self._resolution_in_words() if self.metrics else None,
            "notes": len(self.notes) or None,
        }

    @property
    def size(self) -> tuple[float, ...]:
        """Largest and smallest width of the particle, m, or pixels where lengths are unknown.

        The surface lies at half the typical |density| of a volume (physics.array.surface_level), and at a tenth of the
        largest of a 2D pattern: a projection gets thinner toward its edge. Of a rocking scan, whose axes are not
        perpendicular, the extent along frame, row and column.
        """
        amplitude, level = np.abs(self.density), self._surface_level
        amplitude = np.where(maximum_filter(self.support, 3), amplitude, 0)  # past the support, to interpolate
        if not self.about.frame:
            return widths(amplitude, level, self.pixel)
        points = surface_points(amplitude, level)
        sides = np.ptp(points, axis=0) if len(points) else np.zeros(amplitude.ndim)
        return tuple(float(side * edge) for side, edge in zip(sides, self.pixel, strict=True))

    @property
    def _surface_level(self) -> float:
        """Amplitude of the surface, in the unit of the density."""
        amplitude = np.abs(self.density)
        if self.density.ndim == 2:
            return float(_PROJECTED * amplitude.max())
        return surface_level(torch.from_numpy(amplitude), torch.from_numpy(self.support))

    @property
    def surface(self) -> str:
        """Words for the amplitude at which the size is measured."""
        return "a tenth of the maximum" if self.density.ndim == 2 else "half the typical density"

    @property
    def axis_names(self) -> tuple[str, ...]:
        """Names of the axes of the density: frame, row and column of a rocking scan, else the last of z, y, x."""
        return ("frame", "row", "column") if self.about.frame else tuple("zyx"[-self.density.ndim :])

    def full_period(self, crossing: float | None) -> str:
        """Full period along every axis at a frequency in cycles per pixel, in words.

        Args:
            crossing: Frequency at which a curve falls below its threshold; None: the edge of the data, 0.5.
        """
        frequency = crossing or 0.5
        if not self.known:
            return f"{1 / frequency:.3g} {self.element}s"
        periods = list(resolutions("", frequency, self.pixel).values())
        along = f" along {', '.join(self.axis_names[:-1])} and {self.axis_names[-1]}" if len(periods) > 1 else ""
        return f"{' x '.join(f'{each:.3g}' for each in periods)} nm{along}"

    def _size_in_words(self) -> str:
        factor, unit = (1e9, "nm") if self.known else (1.0, f"{self.element}s")
        lengths = " x ".join(f"{factor * length:.3g}" for length in self.size)
        which = "along frame, row and column" if self.about.frame else "(longest and shortest width)"
        doubt = ", unconfirmed" if self.unresolved else ""
        return f"{lengths} {unit} {which} at {self.surface}{doubt}"

    def _resolution_in_words(self) -> str:
        """Full period by the PRTF of the kept starts, or the reason why there is none."""
        if self.unresolved:
            return f"none: {self.unresolved}"
        crossing = self.metrics.get("prtf/crossing")
        curve = f"PRTF of {int(self.kept.sum())} starts {'below' if crossing else 'above'} 1/e"
        return f"{self.full_period(crossing)} ({curve}){'' if crossing else ', the edge of the data'}"

    @property
    def unresolved(self) -> Unresolved | None:
        """Reason why the PRTF gives no resolution; None where it gives one."""
        reasons = {
            Unresolved.OVERFITTED: self.overfitted,
            Unresolved.POOR: self.poor,
            Unresolved.IDENTICAL: self.about.identical_starts,
            Unresolved.FEW: self.kept.sum() < FEW_STARTS,
        }
        return next((reason for reason, holds in reasons.items() if holds), None)

    @property
    def overfitted(self) -> bool:
        """Whether the best kept start leaves far more on held-out pixels than on fitted ones and photon noise does."""
        noise = self.about.counting_error or 0.0
        held, fitted = float(self.held_out_error[self.best]), float(self.final_error[self.best])
        return held > max(_OVERFITTED, _FAR * fitted, _FAR * noise)  # never of NaN: nothing is held out

    @property
    def poor(self) -> bool:
        """Whether the density of the best kept start does not explain the pattern."""
        return self.misfit > _POOR

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
