"""Comparison of methods of support finding on the patterns of one file: answers, scores, trade-off curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spi_lightning.console import Terminal
from spi_lightning.data.supports import structure_names
from spi_lightning.evaluation.ask import ask_whole
from spi_lightning.evaluation.cache import Cache
from spi_lightning.io.patterns.pattern_file import PatternFile
from spi_lightning.methods.supports.batches import SupportMethod
from spi_lightning.methods.supports.checkpoint import SupportCheckpoint
from spi_lightning.notes import Note
from spi_lightning.results.answered import Answered
from spi_lightning.results.support_answer import SupportAnswer
from spi_lightning.results.supports import MethodResult, SupportResult, choose_patterns, collect_patterns

from .question import SupportQuestion
from .scoring import SupportScoring, agreement, columns_of, structures_of, trade_off_of, true_supports

NO_CACHE = Cache()


def compare_supports(
    patterns: PatternFile,
    methods: Sequence[SupportMethod],
    cache: Cache = NO_CACHE,
    fraction: float = 0.1,
    curve: int = 200,
    gallery: int = 6,
    scoring: Mapping[str, int] | None = None,
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

    Raises:
        UserError: A frame cannot be read, or a method cannot answer.
    """
    question = SupportQuestion(patterns)
    answered = [ask_whole(method, question, cache, show=_print_note) for method in methods]
    frame = question.part.frame
    truth, structure = true_supports(patterns, frame, fraction), structures_of(patterns.labels, len(patterns))[frame]
    results = [_result(*pair, truth) for pair in zip(methods, answered, strict=True)]
    primary = next((i for i, method in enumerate(methods) if isinstance(method, SupportCheckpoint)), 0)
    rank = SupportScoring(structure, **(scoring or {}))
    scores = {result.name: rank(result.columns) for result in results}
    metrics: dict[str, Any] = {**scores[results[primary].name], "methods": scores}
    if len(results) > 1:
        found = agreement([one.answer.support for one in answered])
        metrics["agreement"] = {"methods": [result.name for result in results], "iou": found}
    if truth is not None and curve:
        chosen = spread_rows(len(frame), curve)
        metrics["trade_off"] = {
            method.name: _trade_off(method, one.answer, question, truth, chosen, cache)
            for method, one in zip(methods, answered, strict=True)
        }
    area = None if truth is None else truth.sum((1, 2))
    choices = choose_patterns(results[primary], area, structure, gallery)
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


def spread_rows(count: int, most: int) -> NDArray[np.int64]:
    """Up to ``most`` of ``count`` rows, evenly spread, (n,) int64."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))


def _print_note(note: Note) -> None:
    Terminal(stderr=True).print(str(note), soft_wrap=True, highlight=False)


def _result(method: SupportMethod, answered: Answered[SupportAnswer], truth: NDArray[np.bool_] | None) -> MethodResult:
    answer, network = answered.answer, {}
    if isinstance(method, SupportCheckpoint):
        weights = sum(parameter.numel() for parameter in method.task.parameters())
        threshold = round(float(method.task.threshold), 4)
        network = {"checkpoint": str(method.checkpoint), "weights": weights, "threshold": threshold}
    density = None if answer.density is None else answer.density.astype(np.float16)
    columns = columns_of(answer.support, truth)
    return MethodResult(method.name, answer.support, density, columns, answered.cost, answered.kept, network)


def _trade_off(
    method: SupportMethod,
    answer: SupportAnswer,
    question: SupportQuestion,
    truth: NDArray[np.bool_],
    chosen: NDArray[np.int64],
    cache: Cache,
) -> list[dict[str, Any]]:
    """Points of the trade-off curve of one method on chosen rows, (n,)."""
    some = question.of(question.part.frame[chosen])
    at = {setting: ask_whole(method.at(setting), some, cache).answer.support for setting in method.settings}
    density = None if answer.density is None else answer.density[chosen]
    return trade_off_of(SupportAnswer(answer.support[chosen], density), truth[chosen], method.parameter, at)
