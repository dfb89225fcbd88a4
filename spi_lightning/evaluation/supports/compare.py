"""Comparison of methods of support finding on the patterns of one file: answers, scores, trade-off curves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spi_lightning.data.supports import structure_names
from spi_lightning.evaluation.ask import NO_CACHE, ask_whole
from spi_lightning.evaluation.cache import Cache
from spi_lightning.evaluation.protocol import Method, Question
from spi_lightning.fields import STRUCTURE
from spi_lightning.io.patterns.content_key import content_key
from spi_lightning.io.patterns.pattern_file import PatternFile
from spi_lightning.methods.supports.batches import SupportMethod
from spi_lightning.methods.supports.checkpoint import SupportCheckpoint
from spi_lightning.notes import Note
from spi_lightning.physics.array import evenly
from spi_lightning.results.answered import Answered
from spi_lightning.results.support_answer import SupportAnswer, SupportPart
from spi_lightning.results.supports import MethodResult, SupportResult, choose_patterns, collect_patterns

from .scoring import SupportScoring, agreement, columns_of, trade_off_of, true_supports

AnySupportMethod = Method[SupportPart, SupportAnswer]


@dataclass(frozen=True)
class SupportQuestion(Question[SupportPart, SupportAnswer]):
    """Supports of patterns of a file, whose labels and true densities are hidden from methods.

    Args:
        part: The only part, with all patterns of the file or chosen ones.
    """

    answer_type: ClassVar[type[SupportAnswer]] = SupportAnswer
    remedy: ClassVar[str] = "train it again with a smaller optimizer.lr, or leave it out"
    part: SupportPart

    @classmethod
    def of_file(cls, patterns: PatternFile) -> SupportQuestion:
        """Question about all patterns of a file."""
        hidden = patterns.changed(labels={}, images={})
        return cls(SupportPart(content_key(patterns), np.arange(len(patterns)), hidden))

    def parts(self, method: Any) -> tuple[SupportPart]:
        """All patterns at once."""
        return (self.part,)

    def sizes(self, part: SupportPart) -> dict[str, int]:
        """Number N of the patterns and their edges H and W, pixel."""
        return dict(zip("NHW", (len(part.frame), *part.patterns.shape[1:]), strict=True))


def compare_supports(
    patterns: PatternFile,
    methods: Sequence[AnySupportMethod],
    cache: Cache = NO_CACHE,
    fraction: float = 0.1,
    curve: int = 200,
    gallery: int = 6,
    scoring: Mapping[str, int] | None = None,
    show: Callable[[Note], None] = lambda note: None,
) -> SupportResult:
    """Supports of all patterns of a file by several methods, scored against the truth where it is known.

    Args:
        patterns: File of N patterns, with true densities or without.
        methods: Methods to compare; the first network, else the first method, is the primary one.
        cache: Cache of the methods' answers.
        fraction: Share of the density's maximum that a true support exceeds.
        curve: Number of patterns on which other thresholds and dilations are tried; 0: no trade-off curve.
        gallery: Number of patterns of each gallery of the report.
        scoring: Options of SupportScoring: replicates and seed of the bootstrap.
        show: Called with every note of a method as soon as it is there.

    Raises:
        UserError: A frame that cannot be read, or a method that cannot answer.
    """
    question = SupportQuestion.of_file(patterns)
    answered = [ask_whole(method, question, cache, show) for method in methods]
    frame = question.part.frame
    truth = true_supports(patterns, frame, fraction)
    structure = np.asarray(patterns.labels.get(STRUCTURE, np.full(len(frame), -1)), dtype=np.int64)
    results = [_result(*pair, truth) for pair in zip(methods, answered, strict=True)]
    primary = next((i for i, method in enumerate(methods) if isinstance(method, SupportCheckpoint)), 0)
    rank = SupportScoring(structure, **(scoring or {}))
    scores = {result.name: rank(result.columns) for result in results}
    metrics: dict[str, Any] = {**scores[results[primary].name], "methods": scores}
    if len(results) > 1:
        found = agreement([one.answer.support for one in answered])
        metrics["agreement"] = {"methods": [result.name for result in results], "iou": found}
    if truth is not None and curve:
        chosen = evenly(len(frame), curve)
        metrics["trade_off"] = {
            method.name: _trade_off(method, one.answer, question, truth, chosen, cache)
            for method, one in zip(methods, answered, strict=True)
        }
    choices = choose_patterns(results[primary], None if truth is None else truth.sum((1, 2)), structure, gallery)
    return SupportResult(
        path=str(patterns.path),
        format=patterns.format,
        frame=frame,
        structure=structure,
        structures=structure_names(patterns),
        truth=truth,
        fraction=fraction,
        methods=results,
        primary=primary,
        curve_patterns=min(len(patterns), curve),
        displayed=collect_patterns(patterns, frame, choices),
        metrics=metrics,
        notes=[*patterns.notes, *(note for one in answered for note in one.notes)],
    )


def _result(
    method: AnySupportMethod, answered: Answered[SupportAnswer], truth: NDArray[np.bool_] | None
) -> MethodResult:
    answer, network = answered.answer, {}
    if isinstance(method, SupportCheckpoint):
        weights = sum(parameter.numel() for parameter in method.task.parameters())
        threshold = round(float(method.task.threshold), 4)
        network = {"checkpoint": str(method.checkpoint), "weights": weights, "threshold": threshold}
    density = None if answer.density is None else answer.density.astype(np.float16)
    columns = columns_of(answer.support, truth)
    return MethodResult(method.name, answer.support, density, columns, answered.cost, answered.kept, network)


def _trade_off(
    method: AnySupportMethod,
    answer: SupportAnswer,
    question: SupportQuestion,
    truth: NDArray[np.bool_],
    chosen: NDArray[np.int64],
    cache: Cache,
) -> list[dict[str, Any]]:
    """Points of the trade-off curve of one method on chosen rows, (n,)."""
    some = SupportQuestion(replace(question.part, frame=question.part.frame[chosen]))
    density = None if answer.density is None else answer.density[chosen]
    parameter, at = "", {}
    if isinstance(method, SupportMethod) and method.settings:
        parameter = method.parameter
        at = {setting: ask_whole(method.at(setting), some, cache).answer.support for setting in method.settings}
    return trade_off_of(SupportAnswer(answer.support[chosen], density), truth[chosen], parameter, at)
