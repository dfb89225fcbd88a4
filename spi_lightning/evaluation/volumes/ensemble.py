"""All runs of one method on one pattern as an ensemble: aligned, averaged, and how well they agree."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from spi_lightning.data.scans.volume_patterns import VolumePatterns
from spi_lightning.metrics.fsc import FSC, fsc
from spi_lightning.metrics.prtf import PRTF, prtf
from spi_lightning.phasing import alignment, average
from spi_lightning.physics.array import pad
from spi_lightning.physics.twin import canonical
from spi_lightning.results.volume_answer import VolumeRuns

from .runner import AskedVolumes

_MOST = 60  # runs of an ensemble, spread over draws and seeds: enough for a PRTF, and aligned in seconds
_ROOM = 1.5  # of the arrays in which densities are aligned, over the largest box


@dataclass(frozen=True)
class Ensemble:
    """Runs of one method on one pattern, in arrays of shape ``room`` with the origin at n // 2, all of one norm.

    Attributes:
        mean: (room) complex128 mean of the runs that agree with the best, aligned to the reference.
        deviation: (room) float64 root mean square of |run - mean| over those runs.
        best: (room) complex128, the run of least fitted chi square, aligned alike.
        runs, kept: How many were aligned, and how many of them agree.
        prtf: Of the kept runs; None of a single one.
        fsc: Of the means of two halves of the photons; None without.
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


def room_for(asked: Sequence[AskedVolumes], number: int, shape: Sequence[int]) -> tuple[int, ...]:
    """Even edges of arrays in which the densities of all methods on a pattern can be moved, at most the pattern's."""
    boxes = [draw.runs.density.shape[1:] for one in asked for draw in one.judged[number]]
    boxes += [half.density.shape[1:] for one in asked for half in one.halves[number]]
    widest = [max(box[axis] for box in boxes) for axis in range(3)]
    return tuple(min(n, 2 * math.ceil(_ROOM * side / 2)) for n, side in zip(shape, widest, strict=True))


def best_run(asked: AskedVolumes, number: int, room: Sequence[int]) -> Tensor:
    """The run of least fitted chi square on a pattern, (room), the canonical twin, of norm 1."""
    draws = asked.judged[number]
    draw = min(draws, key=lambda one: float(one.numbers["chi_square"].min()))
    density = draw.runs.density[int(draw.numbers["chi_square"].argmin())]
    return canonical(_unit(pad(density.to(torch.complex128), tuple(room))[None])[0], 3)


def ensemble_of(
    asked: AskedVolumes,
    number: int,
    patterns: VolumePatterns,
    reference: Tensor,
    disagreement: float = 0.1,
) -> Ensemble:
    """Align, average and correlate.

    Args:
        asked: The method's answers.
        number: Of the pattern.
        patterns: The patterns.
        reference: (room) what is aligned to in the end, e.g. the best run of another method.
        disagreement: See phasing.average.
    """
    room, shape = tuple(reference.shape), tuple(patterns.mask.shape[1:])
    draws = asked.judged[number]
    density = torch.cat([_unit(pad(draw.runs.density.to(torch.complex128), room)) for draw in draws])
    error = torch.from_numpy(np.concatenate([draw.numbers["chi_square"] for draw in draws]))
    spread = torch.from_numpy(np.concatenate([draw.runs.point_spread for draw in draws]))[int(error.argmin())]
    if len(density) > _MOST:
        chosen = torch.linspace(0, len(density) - 1, _MOST).round().long()
        chosen[0] = error.argmin()
        density, error = density[chosen], error[chosen]
    averaged = average(density, error, disagreement, subpixel=True)
    best = averaged.aligned[int(error.argmin())]
    kept = averaged.aligned[averaged.kept]
    curve = None
    if len(kept) > 1:
        curve = prtf(pad(kept, shape), patterns.mask[number], aligned=True)
    moved = alignment(torch.cat([best[None], kept]), reference, subpixel=True).density
    mean = moved[1:].mean(0)
    deviation = (moved[1:] - mean).abs().square().mean(0).sqrt()
    halves = correlate(asked.halves[number], room, shape, disagreement)
    return Ensemble(mean, deviation, moved[0], len(density), len(kept), curve, halves, spread)


def correlate(
    halves: Sequence[VolumeRuns], room: tuple[int, ...], shape: tuple[int, ...], disagreement: float
) -> FSC | None:
    """FSC of the averages of two halves of the photons; None without halves."""
    if not halves:
        return None
    means = []
    for half in halves:
        density = _unit(pad(half.density.to(torch.complex128), room))
        final = torch.from_numpy(half.chi_square[-1])
        means.append(average(density, final, disagreement, subpixel=True).density)
    second = alignment(means[1][None], means[0], subpixel=True).density[0]
    free = float(np.median(halves[0].free_voxels))
    return fsc(pad(means[0], shape), pad(second, shape), 3, (math.prod(shape) / max(free, 1)) ** (1 / 3))


def overlaps(densities: Sequence[Tensor]) -> list[list[float]]:
    """|<a, b>| of every two densities (room) of norm 1, once translation, twin and constant phase fit."""
    stack, count = torch.stack(list(densities)), len(densities)
    matrix = np.eye(count)
    for row in range(1, count):
        matrix[row, :row] = matrix[:row, row] = alignment(stack[:row], stack[row], subpixel=True).overlap.numpy()
    found: list[list[float]] = matrix.tolist()
    return found


def _unit(density: Tensor) -> Tensor:
    """(B, ...) at norm 1 each; zeros stay."""
    unit: Tensor = density / density.flatten(1).norm(dim=1).clamp_min(1e-30)[:, None, None, None]
    return unit
