"""Ask methods about each pattern and each draw of held-out voxels, keep their answers on disk, and judge them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import TimeElapsedColumn
from torch import Tensor

from spi_lightning.data.scans.volume_patterns import VolumePatterns
from spi_lightning.errors import UserError
from spi_lightning.evaluation.hits.cache import AnswerCache, Kept
from spi_lightning.metrics.volumes.volume_fit import volume_fit
from spi_lightning.metrics.volumes.volume_truth import volume_truth
from spi_lightning.phasing import hold_out
from spi_lightning.physics.array import pad
from spi_lightning.physics.photons import photon_halves
from spi_lightning.progress import Progress, ProgressBar
from spi_lightning.results.cost import Cost
from spi_lightning.results.volume_answer import VolumeMethod, VolumeQuestion, VolumeRuns, filled

_SEED_STEP = 1000  # between the draws of held-out voxels, more than there are starts
_ALIGNED = 2**21  # voxels aligned together


@dataclass(frozen=True)
class Judged:
    """The runs of one method on one pattern and one draw of held-out voxels, and what they are worth.

    Attributes:
        runs: The densities and their course.
        numbers: (S,) each: see volume_fit, and volume_truth where the truth is known; free_voxels.
        seconds: Wall time of all S runs.
        memory_mib: Highest use of memory; None where unknown.
        cached: Whether they were kept from before.
    """

    runs: VolumeRuns
    numbers: dict[str, NDArray[np.float64]]
    seconds: float
    memory_mib: float | None
    cached: bool


@dataclass(frozen=True)
class AskedVolumes:
    """All answers of one method: ``judged[pattern][draw]``; ``halves[pattern]``, two, or none."""

    name: str
    unit: str
    judged: list[list[Judged]]
    halves: list[list[VolumeRuns]]

    def column(self, name: str) -> NDArray[np.float64]:
        """One number of all runs, (P, M, S); NaN where a pattern has none of it."""
        return np.asarray([[draw.numbers[name] for draw in pattern] for pattern in self.judged])


@dataclass(frozen=True)
class VolumeInterview:
    """Asks methods about some patterns.

    Args:
        patterns: What is phased.
        cache: Where answers are kept, one file for each pattern and draw, so that an interrupted comparison goes on.
        starts: Random starts.
        masks: Draws of held-out voxels; one if nothing is held out.
        held_out: Share of the measured voxels.
        halves: Starts on each of two halves of the photons; 0: none.
        seed: Of starts, draws and halves.
        float64: Whether chi square below 1e-6 is wanted.

    Raises:
        UserError: Numbers out of range.
    """

    patterns: VolumePatterns
    cache: AnswerCache
    starts: int = 5
    masks: int = 3
    held_out: float = 0.05
    halves: int = 0
    seed: int = 0
    float64: bool = False
    draws: list[list[tuple[Tensor, Tensor]]] = field(init=False)

    def __post_init__(self) -> None:
        if self.starts < 1 or self.masks < 1 or self.halves < 0:
            raise UserError("volumes: seeds and masks are 1 or more, halves 0 or more.")
        if not 0 <= self.held_out < 0.5:
            raise UserError(f"volumes.held_out={self.held_out}: give a share from 0 to 0.5.")
        count = self.masks if self.held_out else 1
        drawn = [[self._draw(mask, draw) for draw in range(count)] for mask in self.patterns.mask]
        object.__setattr__(self, "draws", drawn)

    def _draw(self, mask: Tensor, draw: int) -> tuple[Tensor, Tensor]:
        if not self.held_out:
            return mask, torch.zeros_like(mask)
        return hold_out(mask, self.held_out, self.seed + draw, ndim=3, pairs=False)

    def __call__(self, method: VolumeMethod, identity: Any) -> AskedVolumes:
        """Ask one method all questions; ``identity`` is plain data that tells it from all others."""
        count = len(self.patterns)
        total = sum(len(draws) for draws in self.draws) + 2 * count * bool(self.halves)
        judged: list[list[Judged]] = []
        halves: list[list[VolumeRuns]] = []
        with bars(method.name, total) as (progress, done):
            for number in range(count):
                judged.append([])
                for draw in range(len(self.draws[number])):
                    judged[-1].append(self._judged(method, identity, number, draw, progress))
                    done()
                halves.append([])
                for pattern in self._thinned(number):
                    mask = self.patterns.mask[number]
                    question = VolumeQuestion(pattern, mask, self.halves, self.seed, self.float64, progress)
                    halves[-1].append(self._kept_or_made(method, identity, question).answer)
                    done()
        return AskedVolumes(method.name, method.unit, judged, halves)

    def _judged(self, method: VolumeMethod, identity: Any, number: int, draw: int, progress: Progress) -> Judged:
        pattern, (fitted, held_out) = self.patterns.fourier_amplitude[number], self.draws[number][draw]
        seed = self.seed + _SEED_STEP * draw
        told = filled(pattern, fitted, held_out)
        question = VolumeQuestion(told, fitted, self.starts, seed, self.float64, progress)
        kept = self._kept_or_made(method, identity, question)
        runs, cost = kept.answer, kept.cost
        found = volume_fit(runs.density, pattern, fitted, held_out, torch.from_numpy(runs.point_spread))
        if self.patterns.truth is not None:
            found |= truth_of(runs.density, self.patterns.truth[number])
        numbers = {name: values.double().numpy() for name, values in found.items()} | {"free_voxels": runs.free_voxels}
        return Judged(runs, numbers, cost.seconds, cost.gpu_memory_mib or cost.memory_mib, kept.cached)

    def _kept_or_made(self, method: VolumeMethod, identity: Any, question: VolumeQuestion) -> Kept[VolumeRuns]:
        def answer() -> VolumeRuns:
            runs = method.answer_volumes(question)
            if not bool(torch.isfinite(torch.view_as_real(runs.density)).all()):
                raise UserError(f"{method.name}: its densities hold NaN; lower its learning rate or try another seed")
            return runs

        path = self.cache.path("volumes", identity, _plain(question))
        return self.cache(path, method.notes, answer, _pack, _unpack)

    def _thinned(self, number: int) -> list[Tensor]:
        """Amplitudes of two halves of the photons of a pattern; none if no halves are wanted."""
        if not self.halves:
            return []
        both = photon_halves(self.patterns.fourier_amplitude[number].double(), self.seed + number)
        return [half.float() for half in both]


def truth_of(density: Tensor, truth: Tensor) -> dict[str, Tensor]:
    """volume_truth of boxes, some at a time."""
    parts = [
        volume_truth(pad(piece, truth.shape), truth)
        for piece in torch.split(density, max(1, _ALIGNED // truth.numel()))
    ]
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


@contextmanager
def bars(name: str, total: int) -> Iterator[tuple[Progress, Any]]:
    """Two bars on stderr, none where nobody looks: questions answered, and steps of the one at work."""
    with ProgressBar(TimeElapsedColumn()) as bar:
        whole, inner = bar.add_task(name, total=total), bar.add_task("", total=None)

        def progress(step: int, steps: int, chi_square: Tensor) -> None:
            bar.update(inner, completed=step, total=steps, description=f"  chi2 {float(chi_square.median()):.2e}")

        def done() -> None:
            bar.advance(whole)

        yield progress, done


def _plain(question: VolumeQuestion) -> list[Any]:
    """All of a question that decides its answer."""
    digest = hashlib.sha256(np.packbits(question.mask.numpy()).tobytes())
    digest.update(question.fourier_amplitude.numpy().tobytes())
    return [digest.hexdigest(), list(question.mask.shape), question.starts, question.seed, question.float64]


def _pack(runs: VolumeRuns) -> dict[str, Any]:
    return {one.name: np.asarray(getattr(runs, one.name)) for one in fields(VolumeRuns)}


def _unpack(arrays: Mapping[str, Any], _: Cost) -> VolumeRuns:
    return VolumeRuns(**{**arrays, "density": torch.from_numpy(arrays["density"])})
