"""The question of 3D phasing: each pattern with each draw of held-out voxels, and the two halves of its photons."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import torch
from torch import Tensor

from spi_lightning.data.scans.volume_patterns import VolumePatterns
from spi_lightning.evaluation.protocol import Method, Question
from spi_lightning.notes import Note
from spi_lightning.phasing import hold_out
from spi_lightning.physics.photons import photon_halves
from spi_lightning.results.volume_answer import VolumePart, VolumeRuns, filled
from spi_lightning.results.volumes import VolumeSettings

_SEED_STEP = 1000  # between the seeds of two draws of held-out voxels, more than there are starts
VolumeMethod = Method[VolumePart, VolumeRuns]
"""Method of 3D phasing; a class attribute ``unit`` names the steps of its course if they are not iterations."""


@dataclass(frozen=True)
class VolumeQuestion(Question[VolumePart, VolumeRuns]):
    """Which densities made these patterns?

    Attributes:
        patterns: Patterns, with their true densities where known, which no method sees.
        settings: Numbers of starts, draws and halves, and the share of held-out voxels, as far as they apply.
        notes: Notes on the data.
    """

    answer_type: ClassVar[type[VolumeRuns]] = VolumeRuns
    remedy: ClassVar[str] = "lower its learning rate or try another seed"
    patterns: VolumePatterns
    settings: VolumeSettings
    notes: tuple[Note, ...] = field(init=False)

    def __post_init__(self) -> None:
        counted, notes = self.patterns.counted, tuple(self.patterns.notes)
        if self.settings.halves and not counted:
            notes = (*notes, Note.of("noise-free patterns have no photons to halve: no FSC"))
        object.__setattr__(self, "notes", notes)
        object.__setattr__(self, "settings", self.settings.resolved(counted))

    def parts(self, method: Any = None) -> tuple[VolumePart, ...]:
        """Each pattern with each draw of held-out voxels, then its two halves; the same for every method."""
        return self._parts

    @cached_property
    def _parts(self) -> tuple[VolumePart, ...]:
        drawn = [[self._part(p, draw) for draw in range(self.settings.masks)] for p in range(len(self.patterns))]
        return tuple(part for p, parts in enumerate(drawn) for part in (*parts, *self._thinned(p)))

    def _part(self, pattern: int, draw: int) -> VolumePart:
        """One pattern without the voxels that one draw holds out."""
        amplitude, fitted, held_out = self._divided(pattern, draw)
        settings, seed = self.settings, self.settings.seed + _SEED_STEP * draw
        amplitude = filled(amplitude, fitted, held_out)
        return VolumePart(amplitude, fitted, settings.starts, seed, bool(settings.float64), pattern, draw)

    def _divided(self, pattern: int, draw: int) -> tuple[Tensor, Tensor, Tensor]:
        """Amplitudes of a pattern, and its fitted and held-out voxels."""
        amplitude, mask = self.patterns.fourier_amplitude[pattern], self.patterns.mask[pattern]
        if not self.settings.held_out:
            return amplitude, mask, torch.zeros_like(mask)
        return amplitude, *hold_out(mask, self.settings.held_out, self.settings.seed + draw, ndim=3, pairs=False)

    def _thinned(self, pattern: int) -> list[VolumePart]:
        """The two halves of the photons of a pattern; none if no halves are wanted."""
        if not (count := self.settings.halves):
            return []
        seed, float64 = self.settings.seed, bool(self.settings.float64)
        both = photon_halves(self.patterns.fourier_amplitude[pattern].double(), seed + pattern)
        same = (self.patterns.mask[pattern], count, seed, float64, pattern)
        return [VolumePart(one.float(), *same, half=half) for half, one in enumerate(both)]

    def sizes(self, part: VolumePart) -> dict[str, int]:
        """Z, Y and X, the edges of the pattern, which the box of a density does not exceed."""
        return dict(zip("ZYX", part.mask.shape, strict=True))
