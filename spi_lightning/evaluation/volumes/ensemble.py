"""Runs of methods of 3D phasing: their errors, and all runs of one method on one pattern as an ensemble."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spi_lightning.data.scans.volume_patterns import VolumePatterns
from spi_lightning.metrics.fsc import FSC, fsc
from spi_lightning.metrics.prtf import PRTF, prtf
from spi_lightning.metrics.volumes.volume_fit import volume_fit, volume_truth
from spi_lightning.phasing import alignment, average
from spi_lightning.physics.array import crop, pad
from spi_lightning.physics.twin import canonical
from spi_lightning.results.answered import Answered, Cost
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


_MOST = 60  # runs of an ensemble, spread over draws and starts: enough for a PRTF, and aligned in seconds
_FREE = 1.5  # edge of the arrays in which densities are aligned, over the largest box


@dataclass(frozen=True)
class Ensemble:
    """Runs of one method on one pattern, in arrays (z, y, x) with the origin at n // 2, all of one norm.

    Attributes:
        mean: (z, y, x) complex128 mean of the runs that agree with the best, aligned to the reference.
        deviation: (z, y, x) float64 root mean square of |run - mean| over those runs.
        best: (z, y, x) complex128, the run of least fitted chi square, aligned alike.
        runs, kept: Number of runs that were aligned, and of those that agree.
        prtf: PRTF of the runs that agree; None of a single one.
        fsc: FSC of the means of two halves of the photons; None without halves.
        point_spread: (3,) widths of the blur that belongs to ``best``, pixels.
    """

    mean: Tensor
    deviation: Tensor
    best: Tensor
    runs: int
    kept: int
    prtf: PRTF | None
    fsc: FSC | None
    point_spread: Tensor


def common_shape(methods: Sequence[ScoredMethod], pattern: int, shape: Sequence[int]) -> tuple[int, ...]:
    """Even edges z, y, x of arrays in which the densities of all methods can be shifted; at most the pattern's.

    Args:
        methods: Runs of all methods.
        pattern: Index of the pattern.
        shape: Edges of the pattern, voxel.
    """
    runs = [draw.runs for one in methods for draw in one.draws[pattern]]
    runs += [half for one in methods for half in one.halves[pattern]]
    widest = [max(one.density.shape[axis] for one in runs) for axis in (1, 2, 3)]
    return tuple(min(n, 2 * math.ceil(_FREE * side / 2)) for n, side in zip(shape, widest, strict=True))


def best_run(draws: Sequence[ScoredRuns], shape: tuple[int, ...]) -> Tensor:
    """The run of least fitted chi square, the canonical twin, in an array of a shape: complex128 of norm 1."""
    draw = min(draws, key=lambda one: float(one.numbers["chi_square"].min()))
    density = draw.runs.density[int(draw.numbers["chi_square"].argmin())]
    return canonical(_unit(pad(density.to(torch.complex128), shape)[None])[0], 3)


def true_density(truth: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The true density (Z, Y, X), the canonical twin, cut to an array of a shape: complex128 of norm 1."""
    cut = crop(canonical(truth.to(torch.complex128), 3), shape)
    unit: Tensor = cut / cut.norm()
    return unit


def ensemble_of(
    draws: Sequence[ScoredRuns],
    halves: Sequence[VolumeRuns],
    mask: Tensor,
    reference: Tensor,
    disagreement: float = 0.1,
) -> Ensemble:
    """Align the runs of one method on one pattern, average those that agree, and correlate.

    Args:
        draws: Runs on the pattern with each draw of held-out voxels.
        halves: Runs on two halves of its photons; empty without halves.
        mask: (Z, Y, X) bool, measured voxels.
        reference: (z, y, x) complex128 density to which the result is aligned.
        disagreement: 1 - overlap with the best run from which a run counts as failed, see phasing.average.
    """
    shape = tuple(reference.shape)
    density = torch.cat([_unit(pad(draw.runs.density.to(torch.complex128), shape)) for draw in draws])
    error = torch.from_numpy(np.concatenate([draw.numbers["chi_square"] for draw in draws]))
    spread = torch.from_numpy(np.concatenate([draw.runs.point_spread for draw in draws]))[int(error.argmin())]
    if len(density) > _MOST:
        chosen = torch.linspace(0, len(density) - 1, _MOST).round().long()
        chosen[0] = error.argmin()
        density, error = density[chosen], error[chosen]
    averaged = average(density, error, disagreement, subpixel=True)
    best = averaged.aligned[int(error.argmin())]
    kept = averaged.aligned[averaged.kept]
    curve = prtf(pad(kept, tuple(mask.shape)), mask, aligned=True) if len(kept) > 1 else None
    moved = alignment(torch.cat([best[None], kept]), reference, subpixel=True).density
    mean = moved[1:].mean(0)
    deviation = (moved[1:] - mean).abs().square().mean(0).sqrt()
    correlation = correlate(halves, shape, tuple(mask.shape), disagreement) if halves else None
    return Ensemble(mean, deviation, moved[0], len(density), len(kept), curve, correlation, spread)


def correlate(
    halves: Sequence[VolumeRuns], shape: tuple[int, ...], pattern_shape: tuple[int, ...], disagreement: float
) -> FSC:
    """FSC of the averages of the runs on two halves of the photons.

    Args:
        halves: Runs on either half.
        shape: Edges of the arrays in which the densities are aligned, voxel.
        pattern_shape: Edges of the pattern, voxel.
        disagreement: 1 - overlap with the best run from which a run counts as failed.
    """
    means = []
    for half in halves:
        density = _unit(pad(half.density.to(torch.complex128), shape))
        final = torch.from_numpy(half.chi_square[-1])
        means.append(average(density, final, disagreement, subpixel=True).density)
    second = alignment(means[1][None], means[0], subpixel=True).density[0]
    oversampling = (math.prod(pattern_shape) / max(float(np.median(halves[0].free_voxels)), 1)) ** (1 / 3)
    return fsc(pad(means[0], pattern_shape), pad(second, pattern_shape), 3, oversampling)


def overlaps(densities: Sequence[Tensor]) -> list[list[float]]:
    """|<a, b>| of every two densities (z, y, x) of norm 1 after alignment of translation, twin and constant phase."""
    stack, count = torch.stack(list(densities)), len(densities)
    matrix = np.eye(count)
    for row in range(1, count):
        matrix[row, :row] = matrix[:row, row] = alignment(stack[:row], stack[row], subpixel=True).overlap.numpy()
    found: list[list[float]] = matrix.tolist()
    return found


def _unit(density: Tensor) -> Tensor:
    """Densities (B, z, y, x) divided by their norms; zeros stay."""
    unit: Tensor = density / density.flatten(1).norm(dim=1).clamp_min(1e-30)[:, None, None, None]
    return unit
