"""Methods of 3D phasing compared on the same patterns: answers, errors, ensembles, and the result of it all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import TimeElapsedColumn
from torch import Tensor

from spi_lightning.data.scans.volume_patterns import VolumePatterns
from spi_lightning.errors import UserError
from spi_lightning.evaluation.ask import ask
from spi_lightning.evaluation.cache import Cache
from spi_lightning.metrics.volumes.volume_fit import spectral_weight
from spi_lightning.notes import Note
from spi_lightning.physics.agreement import predicted_amplitude, rescaled
from spi_lightning.progress import ProgressBar
from spi_lightning.results.answered import Cost
from spi_lightning.results.volume_answer import VolumeRuns
from spi_lightning.results.volumes import (
    DisplayedPattern,
    MethodResult,
    PhasedVolume,
    VolumeFacts,
    VolumeResult,
    VolumeSettings,
)
from spi_lightning.summary import Summarised

from .ensemble import (
    Ensemble,
    ScoredMethod,
    ScoredRuns,
    best_run,
    common_shape,
    ensemble_of,
    overlaps,
    score_runs,
    true_density,
)
from .question import VolumeMethod, VolumeQuestion
from .scoring import by_pattern, scores_of


def compare_volumes(
    fourier_amplitude: Any,
    methods: Sequence[VolumeMethod],
    mask: Any = None,
    truth: Any = None,
    settings: VolumeSettings | None = None,
    cache: Path | None = None,
    counted: bool = True,
) -> Comparison:
    """Phase patterns given as arrays with each of some methods, and compare what they find.

    Args:
        fourier_amplitude: (P, Z, Y, X) or (Z, Y, X) array or tensor, sqrt(photons), origin at n // 2.
        methods: Methods under names that differ, such as ``IterativeVolume("20*(80*HIO(0.9) + 20*ER)")``.
        mask: Bool, of the shape of the amplitudes or (Z, Y, X), True = measured; None: all voxels.
        truth: Complex true densities, of the shape of the amplitudes; None where unknown.
        settings: Numbers of starts and draws, share of held-out voxels; None: defaults of VolumeSettings.
        cache: Folder in which answers are kept; None keeps none.
        counted: Whether the squared amplitudes are counts; else they are noise-free, and phased in float64.

    Raises:
        UserError: No method can answer.
    """
    amplitude = torch.as_tensor(fourier_amplitude, dtype=torch.float32)
    amplitude = amplitude[None] if amplitude.ndim == 3 else amplitude
    measured = torch.as_tensor(True if mask is None else mask, dtype=torch.bool).expand(amplitude.shape)
    density = None if truth is None else torch.as_tensor(truth).to(torch.complex64).view(amplitude.shape)
    names = tuple(f"pattern {number}" for number in range(len(amplitude)))
    patterns = VolumePatterns("", "array", names, amplitude * measured, measured, density, counted=counted)
    return compare(VolumeQuestion(patterns, settings or VolumeSettings()), methods, Cache(cache))


def compare(question: VolumeQuestion, methods: Sequence[VolumeMethod], cache: Cache) -> Comparison:
    """Answers of all methods, scored and compared; a method that cannot answer is left out with a note.

    Raises:
        UserError: No method can answer; the message is that of the first.
    """
    scored, notes, refusals = [], list(question.notes), []
    for method in methods:
        try:
            scored.append(score_method(question, method, cache, notes))
        except UserError as error:  # such as a network whose box is too small
            refusals.append(error)
            notes.append(Note.warning(f"{method.name} is left out: {str(error).removeprefix(f'{method.name}: ')}"))
    if not scored:
        raise refusals[0]
    patterns, references, ensembles, best = question.patterns, [], [], []
    for p, mask in enumerate(patterns.mask):
        shape = common_shape(scored, p, mask.shape)
        best.append([best_run(one.draws[p], shape) for one in scored])
        references.append(best[p][0] if patterns.truth is None else true_density(patterns.truth[p], shape))
        aligned = (mask, references[p], question.settings.disagreement)
        ensembles.append([ensemble_of(one.draws[p], one.halves[p], *aligned) for one in scored])
    overlap = np.asarray([overlaps(each) for each in best])
    mean_overlap = np.asarray([overlaps([one.mean for one in each]) for each in ensembles])
    return Comparison(question, scored, ensembles, references, overlap, mean_overlap, tuple(notes))


def score_method(question: VolumeQuestion, method: VolumeMethod, cache: Cache, notes: list[Note]) -> ScoredMethod:
    """Answers of one method to all parts of a question, scored; progress is shown by two bars.

    Args:
        question: Question with its patterns and draws of held-out voxels.
        method: Method that is to answer.
        cache: Folder in which answers are kept.
        notes: List to which those of the method are added.

    Raises:
        UserError: The method cannot answer.
    """
    parts, patterns = question.parts(), range(len(question.patterns))
    draws: list[list[ScoredRuns]] = [[] for _ in patterns]
    halves: list[list[VolumeRuns]] = [[] for _ in patterns]
    with ProgressBar(TimeElapsedColumn()) as bar:
        whole, inner = bar.add_task(method.name, total=len(parts)), bar.add_task("", total=None)

        def progress(step: int, steps: int, chi_square: Tensor) -> None:
            bar.update(inner, completed=step, total=steps, description=f"  chi2 {float(chi_square.median()):.2e}")

        for part, answered in ask(method, question, cache, progress, notes.append):
            if part.half is None:
                draws[part.pattern].append(score_runs(part, answered, question.patterns))
            else:
                halves[part.pattern].append(answered.answer)
            bar.advance(whole)
    return ScoredMethod(method.name, getattr(method, "unit", "iteration"), draws, halves, plain_settings(method))


@dataclass(frozen=True, repr=False)
class Comparison(Summarised):
    """Methods side by side on P patterns.

    Attributes:
        question: Question with its patterns and settings.
        methods: Runs of the methods that could answer, and their errors.
        ensembles: [pattern][method] ensembles of the runs.
        references: [pattern] density to which all are aligned: the truth, or the best run of the first method.
        overlap, mean_overlap: (P, methods, methods) overlap of the best runs, and of the means of those that agree.
        notes: Notes on the data and on the methods.
    """

    question: VolumeQuestion
    methods: list[ScoredMethod]
    ensembles: list[list[Ensemble]]
    references: list[Tensor]
    overlap: NDArray[np.float64]
    mean_overlap: NDArray[np.float64]
    notes: tuple[Note, ...]

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """``methods``: numbers of each; ``agreement``: matrices; ``patterns``: medians of each method and pattern."""
        names, patterns = [one.name for one in self.methods], self.question.patterns
        by_method = zip(self.methods, zip(*self.ensembles, strict=True), strict=True)
        levels = self.question.settings.levels
        found: dict[str, Any] = {
            "methods": {one.name: scores_of(one, each, levels, patterns.voxel) for one, each in by_method}
        }
        if len(names) > 1:
            best, mean = (each.mean(axis=0).tolist() for each in (self.overlap, self.mean_overlap))
            found["agreement"] = {"methods": names, "overlap": best, "mean_overlap": mean}
        return found | {"patterns": {one.name: by_pattern(one, patterns.names) for one in self.methods}}

    def result(self, device: str = "cpu", command: str = "", notes: Sequence[Note] = ()) -> VolumeResult:
        """The comparison as volumes.h5 holds it and the page shows it.

        Args:
            device: Device of the computation, for the record.
            command: Command line, for the record.
            notes: Notes to be added to those of the comparison.
        """
        patterns = self.question.patterns
        count = min(len(patterns), max(1, self.question.settings.gallery))
        return VolumeResult(
            [_method_result(one) for one in self.methods],
            spectral_weight(patterns.fourier_amplitude[0])[0].numpy(),
            np.full(3, np.nan) if patterns.voxel is None else np.asarray(patterns.voxel),
            [self._displayed(pattern) for pattern in range(count)],
            self._facts(device, command),
            tuple(dict.fromkeys((*self.notes, *notes))),
        )

    def _displayed(self, number: int) -> DisplayedPattern:
        patterns = self.question.patterns
        pattern, mask = patterns.fourier_amplitude[number], patterns.mask[number]
        return DisplayedPattern(
            patterns.names[number],
            pattern.numpy(),
            mask.numpy(),
            spectral_weight(pattern, mask)[1].numpy(),
            None if patterns.truth is None else self.references[number].to(torch.complex64).numpy(),
            [phased_volume(each, pattern, mask) for each in self.ensembles[number]],
        )

    def _facts(self, device: str, command: str) -> VolumeFacts:
        question, patterns = self.question, self.question.patterns
        measured = [int(mask.sum()) for mask in patterns.mask]
        held_out: list[list[int]] = [[] for _ in measured]
        for part in question.parts():
            if part.half is None:
                held_out[part.pattern].append(measured[part.pattern] - int(part.mask.sum()))
        return VolumeFacts(
            path=patterns.path,
            kind=patterns.kind,
            counted=patterns.counted,
            patterns=list(patterns.names),
            shape=list(patterns.mask.shape[1:]),
            measured_voxels=measured,
            held_out_voxels=held_out,
            settings=question.settings,
            device=device,
            threads=torch.get_num_threads(),
            command=command,
        )


def _method_result(method: ScoredMethod) -> MethodResult:
    """Errors and cost of a method, and its course on the first pattern and draw."""
    draws, runs = method.all_draws, method.draws[0][0].runs
    course, kept = (runs.step, runs.seconds, runs.chi_square), sum(draw.kept for draw in draws)
    cost, seconds = Cost.total(draw.cost for draw in draws), method.seconds_per_run
    named = method.name, method.unit, method.numbers
    return MethodResult(*named, *course, cost, seconds, len(draws), kept, method.settings)


def phased_volume(ensemble: Ensemble, pattern: Tensor, mask: Tensor) -> PhasedVolume:
    """Density of an ensemble and its curves; amplitudes and mask (Z, Y, X) of the pattern set the scale."""
    best, spread = ensemble.best[None].to(torch.complex128), ensemble.point_spread[None]
    predicted = rescaled(predicted_amplitude(best, spread, pattern.shape), pattern[None], mask[None])[0]
    none, prtf, fsc = np.empty(0), ensemble.prtf, ensemble.fsc
    return PhasedVolume(
        mean=ensemble.mean.to(torch.complex64).numpy(),
        deviation=ensemble.deviation.float().numpy(),
        best=ensemble.best.to(torch.complex64).numpy(),
        predicted=predicted.float().numpy(),
        weight=spectral_weight(predicted, mask)[1].numpy(),
        kept=ensemble.kept,
        prtf=none if prtf is None else prtf.curve.numpy(),
        prtf_corrected=none if prtf is None else prtf.corrected.numpy(),
        chance=np.nan if prtf is None else float(prtf.chance),
        fsc=none if fsc is None else fsc.curve.numpy(),
        half_bit=none if fsc is None else fsc.half_bit.numpy(),
    )


def plain_settings(thing: Any) -> Any:
    """Fields of a dataclass as JSON can hold them, nested alike; functions, arrays and other objects by their names.

    Args:
        thing: Method, or a value of one of its fields.
    """
    if is_dataclass(thing):
        return {one.name: plain_settings(getattr(thing, one.name)) for one in fields(thing)}
    if isinstance(thing, Mapping):
        return {str(key): plain_settings(value) for key, value in thing.items()}
    if isinstance(thing, list | tuple):
        return [plain_settings(value) for value in thing]
    if thing is None or isinstance(thing, bool | int | float | str):
        return thing
    return str(thing) if isinstance(thing, Path) else getattr(thing, "__name__", type(thing).__name__)
