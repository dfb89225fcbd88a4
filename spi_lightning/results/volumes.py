"""Result of a comparison of methods of 3D phasing, volumes.h5 of its run folder, from which the page is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from spi_lightning.errors import UserError, is_number, whole_number
from spi_lightning.notes import Note
from spi_lightning.summary import Summarised

from .answered import Cost

_WHOLE: Final = {"starts": 1, "masks": 1, "first": 1, "halves": 0, "outputs": 0, "gallery": 0}  # and their least values
_SHARES: Final = {"held_out": 0.5, "disagreement": 1.0}  # and what they stay below


@dataclass(frozen=True)
class VolumeSettings:
    """Settings of a comparison; conf/volumes/ holds them for spi evaluate.

    Args:
        starts: Number of random starts.
        masks: Number of draws of held-out voxels; one if nothing is held out.
        held_out: Share of the measured voxels that is kept from the methods, 0 to 0.5; 0: none.
        first: Number of particles taken of a simulated set.
        peak_photons: Largest expected counts of a known object, a pattern for each, None being noise-free; None: 1e6.
        halves: Number of random starts on each of two halves of the photons, for the FSC; 0: none.
        levels: Values of chi square for success rates and times.
        disagreement: 1 - overlap with the best run from which a run counts as failed, see phasing.average.
        outputs: Number of patterns whose densities are written as files.
        gallery: Number of patterns that the page shows.
        float64: Whether to polish in float64, for chi square below 1e-6; None: for noise-free patterns.
        seed: Seed of starts, draws and halves.

    Raises:
        UserError: The first setting that is not a number or out of range.
    """

    starts: int = 5
    masks: int = 3
    held_out: float = 0.05
    first: int = 5
    peak_photons: tuple[float | None, ...] | None = None
    halves: int = 0
    levels: tuple[float, ...] = (1e-2, 3e-3, 1e-3, 1e-5, 2e-6)
    disagreement: float = 0.1
    outputs: int = 3
    gallery: int = 3
    float64: bool | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in _WHOLE.items():
            object.__setattr__(self, name, whole_number(f"volumes.{name}", getattr(self, name), least))
        for name, below in _SHARES.items():
            if not is_number(value := getattr(self, name)) or not 0 <= value < below:
                raise UserError(f"volumes.{name}={value}: give a number from 0 to {below:g}")
        _require_positive("volumes.levels", self.levels)
        object.__setattr__(self, "levels", tuple(map(float, self.levels)))
        if self.peak_photons is not None:
            _require_positive("volumes.peak_photons", self.peak_photons, "or null for no noise")
            object.__setattr__(self, "peak_photons", tuple(self.peak_photons))

    def resolved(self, counted: bool) -> VolumeSettings:
        """The settings that apply to patterns that are counts of photons, or noise-free ones that have no halves."""
        float64, masks = not counted if self.float64 is None else bool(self.float64), self.masks if self.held_out else 1
        return replace(self, float64=float64, masks=masks, halves=self.halves if counted else 0)


def _require_positive(name: str, values: Any, other: str = "") -> None:
    listed = list(values) if isinstance(values, list | tuple) else []
    allowed = [value for value in listed if (value is None and other) or (is_number(value) and 0 < value < inf)]
    if not listed or len(allowed) < len(listed):
        more = f", {other}" if other else ""
        raise UserError(f"{name}={values}: give a list of positive numbers{more}")


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

    Examples:
        >>> import numpy as np
        >>> from spi_lightning.evaluation.volumes import VolumeSettings, compare_volumes
        >>> from spi_lightning.methods import IterativeVolume
        >>> ball = np.linalg.norm(np.indices((16, 16, 16)) - 8, axis=0) < 3
        >>> amplitude = np.abs(np.fft.fftshift(np.fft.fftn(ball)))
        >>> once = VolumeSettings(starts=1, masks=1, halves=0)
        >>> compared = compare_volumes(amplitude, [IterativeVolume("20*ER")], settings=once, counted=False)
        >>> compared.result().names
        ['iterative']
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
