"""Result of a comparison of methods of 3D phasing, volumes.h5 of its run folder, from which the page is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from spi_lightning.notes import Note
from spi_lightning.summary import Summarised

from .cost import Cost
from .volume_settings import VolumeSettings

Array = NDArray[Any]
VOLUMES_FILE: Final = "volumes.h5"


@dataclass(frozen=True, repr=False)
class PhasedVolume(Summarised):
    """Density that one method found of a displayed pattern. Densities have their origin at n // 2; K shells.

    Attributes:
        mean: (z, y, x) complex64 mean of the runs that agree.
        deviation: (z, y, x) float32 root mean square deviation of these runs.
        best: (z, y, x) complex64, the run of least chi square.
        predicted: (Z, Y, X) float32 Fourier amplitudes of the best run, in the scale of the measured ones.
        weight: (K,) Fourier spectral weight of the best run, in the scale of the measured amplitudes.
        kept: Number of runs that agree.
        prtf, prtf_corrected: (K,) PRTF of these runs, and the same without chance; empty for a single run.
        chance: PRTF of as many unrelated runs; NaN for a single run.
        fsc, half_bit: (K,) FSC of two halves of the photons and its half-bit threshold; empty without halves.
    """

    mean: Array
    deviation: Array
    best: Array
    predicted: Array
    weight: Array
    kept: int
    prtf: Array
    prtf_corrected: Array
    chance: float
    fsc: Array
    half_bit: Array


@dataclass(frozen=True, repr=False)
class DisplayedPattern(Summarised):
    """A pattern that the page shows.

    Attributes:
        name: Name of the pattern.
        fourier_amplitude: (Z, Y, X) float32, sqrt(photons), origin at n // 2.
        mask: (Z, Y, X) bool, True = measured.
        weight: (K,) Fourier spectral weight of the measured amplitudes.
        truth: (z, y, x) complex64 true density; None where unknown.
        methods: Density of every method, in the order of VolumeResult.methods.
    """

    name: str
    fourier_amplitude: Array
    mask: Array
    weight: Array
    truth: Array | None
    methods: list[PhasedVolume]


@dataclass(frozen=True, repr=False)
class MethodResult(Summarised):
    """Errors and cost of one method: P patterns, M draws of held-out voxels, S starts.

    Attributes:
        name: Name of the method in tables.
        unit: ``iteration`` or ``epoch``, the unit of ``step``.
        numbers: Name of an error -> (P, M, S) float64.
        step, seconds, chi_square: (T,), (T,) and (T, S), course on the first pattern and draw, see Trace.
        cost: Cost of all starts on all patterns and draws.
        seconds_per_run: Median wall time of one run, s.
        answers, kept: Number of answers, and of those that were read from the cache.
        settings: Settings of the method as plain data.
    """

    name: str
    unit: str
    numbers: dict[str, Array]
    step: Array
    seconds: Array
    chi_square: Array
    cost: Cost
    seconds_per_run: float
    answers: int
    kept: int
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class VolumeFacts:
    """Data and settings of a comparison.

    Attributes:
        path: File or files of the patterns.
        kind: ``measured``, ``simulated``, ``known`` or ``array``.
        counted: Whether the patterns are counts of photons.
        patterns: Names of all patterns.
        shape: Edges of a pattern along z, y, x, voxel.
        measured_voxels: Number of measured voxels of each pattern.
        held_out_voxels: Number of held-out voxels of each pattern and draw.
        settings: Settings that apply to these patterns.
        device, threads: Device of the computation, and number of threads of torch.
        command: Command line; empty where there was none.
    """

    path: str
    kind: str
    counted: bool
    patterns: list[str]
    shape: list[int]
    measured_voxels: list[int]
    held_out_voxels: list[list[int]]
    settings: VolumeSettings
    device: str
    threads: int
    command: str = ""


@dataclass(frozen=True, repr=False)
class VolumeResult(Summarised):
    """A comparison of methods on the same patterns.

    Attributes:
        methods: Errors and cost of each method.
        frequency: (K,) mean frequency of each shell, cycles per voxel.
        voxel: (3,) edges of a voxel of the density along z, y, x, m; NaN where unknown.
        patterns: Patterns that the page shows.
        about: Data, settings and command of the comparison.
        notes: Notes on the data and on the methods.
    """

    drawn_by: ClassVar[str] = "spi_lightning.reports.drawing:volumes"
    methods: list[MethodResult]
    frequency: Array
    voxel: Array
    patterns: list[DisplayedPattern]
    about: VolumeFacts
    notes: tuple[Note, ...] = ()

    def facts(self) -> Mapping[str, object]:
        """Patterns and methods, with the median chi-square of each."""
        chi = {one.name: float(np.nanmedian(one.numbers["chi_square"])) for one in self.methods}
        return {
            "file": self.about.path or "array",
            "patterns": f"{len(self.about.patterns)} of {' x '.join(map(str, self.about.shape))} voxels",
            **{f"chi-square of {name}": value for name, value in chi.items()},
            "notes": len(self.notes) or None,
        }

    @property
    def known(self) -> bool:
        """Whether lengths are known."""
        return bool(np.isfinite(self.voxel).all())

    @property
    def names(self) -> list[str]:
        """Names of the methods."""
        return [method.name for method in self.methods]
