"""What every method of 3D phasing is asked and gives back: densities from several starts, and how they got there."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spi_lightning.physics.array import box_around
from spi_lightning.progress import Progress, no_progress

from .hit_answer import Notes


@dataclass(frozen=True)
class VolumeQuestion:
    """One pattern to be phased from several random starts.

    Attributes:
        fourier_amplitude: (Z, Y, X) float32, sqrt(photons), origin at n // 2. Voxels that are held out have the mean of
            the shown ones around, so that the autocorrelation keeps its extent; nothing is fitted to them.
        mask: (Z, Y, X) bool, True = measured and shown to the method; all other voxels are free.
        starts: How many; a method without chance gives one answer.
        seed: Of the starts.
        float64: Whether chi square below 1e-6 is wanted.
        progress: Called on the way with the step, the steps in all and chi square of each start.
    """

    fourier_amplitude: Tensor
    mask: Tensor
    starts: int
    seed: int
    float64: bool = False
    progress: Progress = no_progress


@dataclass
class Trace:
    """The course of S runs that were computed together: rows are added on the way.

    Attributes:
        step: Updates or epochs done; seconds: wall time since the beginning, of all S runs; chi_square: (S,) each,
            over the voxels that are fitted.
    """

    step: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    chi_square: list[NDArray[np.float64]] = field(default_factory=list)
    began: float = field(default_factory=time.perf_counter)

    def add(self, step: int, chi_square: Tensor) -> None:
        """One more row, at the present time."""
        self.step.append(step)
        self.seconds.append(time.perf_counter() - self.began)
        self.chi_square.append(chi_square.detach().double().cpu().numpy())


@dataclass(frozen=True)
class VolumeRuns:
    """S densities of one pattern.

    Attributes:
        density: (S, z, y, x) complex64 or complex128, 0 outside the support, in a box that lies anywhere: where, in
            which twin and with which constant phase is not determined by a pattern.
        free_voxels: (S,) voxels in which the density was free to differ from 0.
        step, seconds, chi_square: (T,), (T,) and (T, S), see Trace.
        point_spread: (S, 3) widths of the blur by partial coherence that belongs to the densities, pixels; 0: none.
    """

    density: Tensor
    free_voxels: NDArray[np.float64]
    step: NDArray[np.int64]
    seconds: NDArray[np.float64]
    chi_square: NDArray[np.float64]
    point_spread: NDArray[np.float64]

    @classmethod
    def of(cls, density: Tensor, free_voxels: Tensor, trace: Trace, point_spread: Tensor | None = None) -> VolumeRuns:
        """From what a method has found and its trace, on the CPU."""
        spread = density.abs().new_zeros(len(density), 3) if point_spread is None else point_spread
        return cls(
            density.detach().cpu(),
            free_voxels.double().cpu().numpy(),
            np.asarray(trace.step, dtype=np.int64),
            np.asarray(trace.seconds),
            np.asarray(trace.chi_square).reshape(len(trace.step), len(density)),
            spread.detach().double().cpu().numpy(),
        )


class VolumeMethod(Protocol):
    """Anything that phases 3D patterns: a recipe, a gradient, a network that is refined, a trained network.

    ``unit`` names what a step of its trace is: ``iteration`` or ``epoch``.
    """

    name: str
    notes: Notes
    unit: str

    def answer_volumes(self, question: VolumeQuestion) -> VolumeRuns:
        """Phase one pattern."""
        ...


def filled(fourier_amplitude: Tensor, shown: Tensor, held_out: Tensor) -> Tensor:
    """Amplitudes (Z, Y, X) with held-out voxels replaced by the mean of the shown ones among the 26 around, else 0."""
    kernel = torch.ones(1, 1, 3, 3, 3, dtype=fourier_amplitude.dtype, device=fourier_amplitude.device)
    known = shown.to(kernel.dtype)
    total, count = (
        torch.nn.functional.conv3d(values[None, None], kernel, padding=1)[0, 0]
        for values in (fourier_amplitude * known, known)
    )
    return torch.where(held_out, total / count.clamp_min(1), fourier_amplitude * known)


def cut_to_box(density: Tensor, support: Tensor) -> Tensor:
    """Densities (S, Z, Y, X) within their supports, cut to the smallest box that holds all supports."""
    return (density * support)[(slice(None), *box_around(support, 3))].clone()
