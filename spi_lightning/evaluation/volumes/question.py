"""The question of 3D phasing: each pattern with each draw of held-out voxels, and the two halves of its photons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor

from spi_lightning.data.scans.volume_patterns import VolumePatterns
from spi_lightning.errors import UserError
from spi_lightning.evaluation.protocol import Method
from spi_lightning.phasing import hold_out
from spi_lightning.physics.photons import photon_halves
from spi_lightning.results.volume_answer import VolumePart, VolumeRuns, filled

from .settings import VolumeSettings

_SEED_STEP = 1000  # between the seeds of two draws of held-out voxels, more than there are starts


class VolumeMethod(Method[VolumePart, VolumeRuns], Protocol):
    """Method of 3D phasing; ``unit`` names the steps of its course: ``iteration`` or ``epoch``."""

    @property
    def unit(self) -> str:
        """Name of a step of the course."""
        ...


@dataclass(frozen=True)
class VolumeQuestion:
    """Which densities made these patterns?

    Args:
        patterns: Patterns, with their true densities where known, which no method sees.
        settings: Numbers of starts, draws and halves, and the share of held-out voxels.
    """

    answer_type: ClassVar[type[VolumeRuns]] = VolumeRuns
    patterns: VolumePatterns
    settings: VolumeSettings

    @property
    def float64(self) -> bool:
        """Whether chi square below 1e-6 is wanted."""
        return not self.patterns.counted if self.settings.float64 is None else bool(self.settings.float64)

    @property
    def halves(self) -> int:
        """Number of starts on each half of the photons; 0 where there are no photons to divide."""
        return self.settings.halves if self.patterns.counted else 0

    @property
    def draws(self) -> int:
        """Number of draws of held-out voxels."""
        return self.settings.masks if self.settings.held_out else 1

    def parts(self, method: Any = None) -> tuple[VolumePart, ...]:
        """Each pattern with each draw of held-out voxels, then its two halves; the same for every method."""
        return self._parts

    @cached_property
    def _parts(self) -> tuple[VolumePart, ...]:
        drawn = [[self._part(p, draw) for draw in range(self.draws)] for p in range(len(self.patterns))]
        return tuple(part for p, parts in enumerate(drawn) for part in (*parts, *self._thinned(p)))

    def _part(self, pattern: int, draw: int) -> VolumePart:
        """One pattern without the voxels that one draw holds out."""
        amplitude, fitted, held_out = self._divided(pattern, draw)
        seed = self.settings.seed + _SEED_STEP * draw
        return VolumePart(
            filled(amplitude, fitted, held_out), fitted, self.settings.seeds, seed, self.float64, pattern, draw
        )

    def _divided(self, pattern: int, draw: int) -> tuple[Tensor, Tensor, Tensor]:
        """Amplitudes of a pattern, and its fitted and held-out voxels."""
        amplitude, mask = self.patterns.fourier_amplitude[pattern], self.patterns.mask[pattern]
        if not self.settings.held_out:
            return amplitude, mask, torch.zeros_like(mask)
        return amplitude, *hold_out(mask, self.settings.held_out, self.settings.seed + draw, ndim=3, pairs=False)

    def _thinned(self, pattern: int) -> list[VolumePart]:
        """The two halves of the photons of a pattern; none if no halves are wanted."""
        if not self.halves:
            return []
        seed, mask = self.settings.seed, self.patterns.mask[pattern]
        both = photon_halves(self.patterns.fourier_amplitude[pattern].double(), seed + pattern)
        return [
            VolumePart(one.float(), mask, self.halves, seed, self.float64, pattern, half=half)
            for half, one in enumerate(both)
        ]

    def check(self, answer: VolumeRuns, name: str) -> None:
        """Refuse densities that are no numbers."""
        if not bool(torch.isfinite(torch.view_as_real(answer.density)).all()):
            raise UserError(f"{name}: its densities hold NaN; lower its learning rate or try another seed")

    def join(self, parts: Sequence[VolumePart], answers: Sequence[VolumeRuns]) -> list[list[VolumeRuns]]:
        """Runs of each pattern, [pattern][draw]; without those on halves of the photons."""
        pairs = list(zip(parts, answers, strict=True))
        count = 1 + max(part.pattern for part in parts)
        return [[runs for part, runs in pairs if part.half is None and part.pattern == p] for p in range(count)]
