"""Runs of a method with their errors: against fitted and held-out voxels, and against the truth where it is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spi_lightning.data.scans.volume_patterns import VolumePatterns
from spi_lightning.metrics.volumes.volume_fit import volume_fit, volume_truth
from spi_lightning.physics.array import pad
from spi_lightning.results.answered import Answered
from spi_lightning.results.cost import Cost
from spi_lightning.results.volume_answer import VolumePart, VolumeRuns

Values = NDArray[np.float64]
_ALIGNED = 2**21  # voxels aligned together


@dataclass(frozen=True)
class ScoredRuns:
    """S runs of one method on one pattern with one draw of held-out voxels, and their errors.

    Attributes:
        runs: Densities and their course.
        numbers: Name of an error -> (S,): see volume_fit, and volume_truth where the truth is known; free_voxels.
        cost: Cost of all S runs.
        kept: Whether they were read from the cache.
    """

    runs: VolumeRuns
    numbers: dict[str, Values]
    cost: Cost
    kept: bool = False

    @property
    def seconds(self) -> float:
        """Wall time of one run, s: runs are computed together, and their time is divided by their number."""
        return self.cost.seconds / len(self.runs.density)


@dataclass(frozen=True)
class ScoredMethod:
    """Runs of one method on P patterns with M draws of held-out voxels.

    Attributes:
        name, unit: Name in tables, and name of a step.
        draws: [pattern][draw] runs and their errors.
        halves: [pattern] runs on two halves of the photons; empty without halves.
        settings: Settings of the method as plain data.
    """

    name: str
    unit: str
    draws: list[list[ScoredRuns]]
    halves: list[list[VolumeRuns]]
    settings: dict[str, Any]

    @property
    def numbers(self) -> dict[str, Values]:
        """Every error of all runs, (P, M, S)."""
        names = self.draws[0][0].numbers
        return {name: np.asarray([[draw.numbers[name] for draw in each] for each in self.draws]) for name in names}

    @property
    def all_draws(self) -> list[ScoredRuns]:
        """Scored runs of all patterns and draws in one list."""
        return [draw for pattern in self.draws for draw in pattern]

    @property
    def seconds_per_run(self) -> float:
        """Median wall time of one run over patterns and draws, s."""
        return float(np.median([draw.seconds for draw in self.all_draws]))


def score_runs(part: VolumePart, answered: Answered[VolumeRuns], patterns: VolumePatterns) -> ScoredRuns:
    """Errors of the runs on one part against all measured voxels of its pattern, and against the truth if known."""
    runs, pattern = answered.answer, part.pattern
    held_out, spread = patterns.mask[pattern] & ~part.mask, torch.from_numpy(runs.point_spread)
    found = volume_fit(runs.density, patterns.fourier_amplitude[pattern], part.mask, held_out, spread)
    if patterns.truth is not None:
        found |= truth_errors(runs.density, patterns.truth[pattern])
    numbers = {name: values.double().numpy() for name, values in found.items()}
    return ScoredRuns(runs, numbers | {"free_voxels": runs.free_voxels}, answered.cost, answered.kept)


def truth_errors(density: Tensor, truth: Tensor) -> dict[str, Tensor]:
    """Errors of volume_truth, (S,) each, of densities (S, z, y, x) in a box against a truth (Z, Y, X)."""
    parts = [
        volume_truth(pad(piece, truth.shape), truth)
        for piece in torch.split(density, max(1, _ALIGNED // truth.numel()))
    ]
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
