"""Parts and answers of 3D phasing: one pattern to be phased, and the densities of all starts with their course."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spi_lightning.fingerprint import Irrelevant
from spi_lightning.physics.array import box_around
from spi_lightning.summary import Summarised

from .layout import Layout


@dataclass(frozen=True, repr=False)
class VolumePart(Summarised):
    """One pattern to be phased from random starts.

    Attributes:
        fourier_amplitude: (Z, Y, X) float32, sqrt(photons), origin at n // 2. Held-out voxels have the mean of the
            measured ones around them, so that the autocorrelation keeps its extent; nothing is fitted to them.
        mask: (Z, Y, X) bool, True = measured and not held out; all other voxels are free.
        starts: Number of random starts; a method without chance gives one answer.
        seed: Seed of the random starts.
        float64: Whether chi square below 1e-6 is wanted.
        pattern, draw: Index of the pattern, and of the draw of held-out voxels.
        half: Index of the half of the photons; None where the part has all photons.
    """

    fourier_amplitude: Tensor
    mask: Tensor
    starts: int
    seed: int
    float64: bool = False
    pattern: Irrelevant[int] = 0
    draw: Irrelevant[int] = 0
    half: Irrelevant[int | None] = None


@dataclass(repr=False)
class Trace(Summarised):
    """Trace of S runs that are computed together: a row of errors for each iteration.

    Attributes:
        step: Updates or epochs done.
        seconds: Wall time since the start of all S runs, s.
        chi_square: (S,) float64 of each row, over the fitted voxels.
        started: Reading of the clock at the start, s.
    """

    step: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    chi_square: list[NDArray[np.float64]] = field(default_factory=list)
    started: float = field(default_factory=time.perf_counter)

    def add(self, step: int, chi_square: Tensor) -> None:
        """Add a row at the present time: the step, and chi square of each run, (S,)."""
        self.step.append(step)
        self.seconds.append(time.perf_counter() - self.started)
        self.chi_square.append(chi_square.detach().double().cpu().numpy())


@dataclass(frozen=True, repr=False)
class VolumeRuns(Summarised):
    """S densities of one pattern.

    Attributes:
        density: (S, z, y, x) complex64 or complex128, 0 outside the support, in a box that lies anywhere: its position,
            its twin and its constant phase are not determined by a pattern.
        free_voxels: (S,) number of voxels in which the density was free to differ from 0.
        step, seconds, chi_square: (T,), (T,) and (T, S), see Trace.
        point_spread: (S, 3) widths of the blur by partial coherence that belongs to the densities, pixels; 0: none.
    """

    layout: ClassVar[Layout] = {
        "density": "finite tensor complex S z y x",
        "free_voxels": "real S",
        "step": "real T",
        "seconds": "real T",
        "chi_square": "real T S",
        "point_spread": "real S 3",
    }

    density: Tensor
    free_voxels: NDArray[np.float64]
    step: NDArray[np.int64]
    seconds: NDArray[np.float64]
    chi_square: NDArray[np.float64]
    point_spread: NDArray[np.float64]

    @classmethod
    def of(
        cls, density: Tensor, trace: Trace, free_voxels: Tensor | None = None, point_spread: Tensor | None = None
    ) -> VolumeRuns:
        """Results of a method, moved to the CPU.

        Args:
            density: (S, z, y, x) complex densities.
            trace: Course of the runs.
            free_voxels: (S,) number of free voxels; None: the whole box.
            point_spread: (S, 3) widths of the blur, pixels; None: none.
        """
        if free_voxels is None:
            free_voxels = density.abs().new_full((len(density),), density[0].numel())
        spread = density.abs().new_zeros(len(density), 3) if point_spread is None else point_spread
        return cls(
            density.detach().cpu(),
            free_voxels.double().cpu().numpy(),
            np.asarray(trace.step, dtype=np.int64),
            np.asarray(trace.seconds),
            np.asarray(trace.chi_square).reshape(len(trace.step), len(density)),
            spread.detach().double().cpu().numpy(),
        )


def filled(fourier_amplitude: Tensor, fitted: Tensor, held_out: Tensor) -> Tensor:
    """Amplitudes (Z, Y, X) with held-out voxels replaced by the mean of the fitted ones among the 26 around, else 0."""
    kernel = torch.ones(1, 1, 3, 3, 3, dtype=fourier_amplitude.dtype, device=fourier_amplitude.device)
    known = fitted.to(kernel.dtype)
    total, count = (
        torch.nn.functional.conv3d(values[None, None], kernel, padding=1)[0, 0]
        for values in (fourier_amplitude * known, known)
    )
    return torch.where(held_out, total / count.clamp_min(1), fourier_amplitude * known)


def cut_to_box(density: Tensor, support: Tensor) -> Tensor:
    """Densities (S, Z, Y, X) within their supports, cut to the smallest box that holds all supports."""
    return (density * support)[(slice(None), *box_around(support, 3))].clone()
