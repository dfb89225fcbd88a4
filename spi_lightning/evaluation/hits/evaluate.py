"""Evaluation of methods that select single hits, from Python: answers, numbers, notes and pictures in one result."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spi_lightning.errors import UserError
from spi_lightning.evaluation.ask import NO_CACHE, ask_whole
from spi_lightning.evaluation.cache import Cache
from spi_lightning.evaluation.hits.question import LabelledSubset
from spi_lightning.evaluation.protocol import Method
from spi_lightning.fields import IS_SINGLE_HIT
from spi_lightning.files import write_json, write_text
from spi_lightning.io import PatternFile
from spi_lightning.methods import CheckpointMethod
from spi_lightning.metrics.hits.hit_metrics import HitNumber
from spi_lightning.metrics.hits.method_agreement import common_set
from spi_lightning.notes import Note
from spi_lightning.printable import printable
from spi_lightning.reports import collect_gallery
from spi_lightning.results.answered import Answered
from spi_lightning.results.decision import DecisionRule
from spi_lightning.results.hit_answer import HitAnswer, HitPart, mean_answer
from spi_lightning.results.hits import SECOND_LOOK, DecidedAnswer, HitResult, MethodFacts, Selected
from spi_lightning.results.selection import write_selection_lists
from spi_lightning.tracking import METRICS

from .columns import FrameMeasurement
from .pictures import explain, gallery_frames, measured_centres
from .question import HitQuestion
from .summary import result_notes, score
from .training_frames import training_frames_of, training_notes, union_of

HitMethod = Method[HitPart, HitAnswer]
_NONE = np.empty(0, dtype=np.int64)


def evaluate_hits(
    patterns: PatternFile,
    methods: Sequence[HitMethod],
    rule: DecisionRule | None = None,
    subset: LabelledSubset | None = None,
    excluded: NDArray[np.int64] = _NONE,
    primary: str | None = None,
    cache: Cache = NO_CACHE,
    show: Callable[[Note], None] = lambda note: None,
    replicates: int = 1000,
    seed: int = 0,
    extra: Mapping[str, HitNumber] | None = None,
    device: str = "cpu",
    hit_threshold: float | None = 5.0,
    gallery: int = 12,
    occlusion: int = 6,
) -> HitResult:
    """Evaluate methods on the N frames of a file.

    Args:
        patterns: File of the frames, with or without labels.
        methods: Methods under names that differ.
        rule: Rule from probabilities to decisions; None: 0.5, abstaining within 0.1.
        subset: Labels from which methods may learn; None: as the number of labels suggests.
        excluded: (k,) frames left out of a second column of numbers, for example those of doubtful label.
        primary: Name of the method that selects; None: see primary_name.
        cache: Folder in which answers are kept.
        show: Called with every note of a method as soon as it is there.
        replicates: Bootstrap replicates of the 95 % intervals.
        seed: Seed of the bootstrap.
        extra: Further numbers by their names, see HitMetrics.
        device: Name of the device that measures frames.
        hit_threshold: Standard deviations above background from which a frame is a hit; None measures no frames.
        gallery: Largest number of frames of each gallery.
        occlusion: Number of frames that are covered square by square for the first network; 0: none.

    Raises:
        UserError: A mistake in the arguments, a method that cannot answer, or frames that cannot be read.
    """
    rule, question = rule or DecisionRule(), HitQuestion(patterns, subset or LabelledSubset())
    selects = primary_name(primary, [one.name for one in methods], trained := _require_able(methods, question))
    training = training_frames_of(methods, patterns)
    answered = {one.name: ask_whole(one, question, cache, show=show) for one in methods}
    result = replace(
        _decided(question, answered, rule, selects, trained),
        methods={one.name: _facts(one, answered[one.name], question) for one in methods},
        training_frames=question.subset_frames(methods),
        columns={} if hit_threshold is None else FrameMeasurement(hit_threshold, device).kept(question.whole, cache),
        excluded=np.union1d(excluded, union_of(training)),
    )
    result = replace(result, metrics=score(result, trained, replicates, seed, extra))
    areas = {name: numbers.get("test/auroc") for name, numbers in result.metrics.get("methods", {}).items()}
    reason = "" if primary else reason_of(selects, list(answered), trained, areas)
    result = replace(result, selected=Selected(reason=reason))
    frames = gallery_frames(result, gallery)
    covered, layers = explain(methods, patterns, frames, occlusion)
    notes = [*training_notes(training, patterns), *patterns.notes, *question.fold_notes(methods)]
    notes += [*(note for one in answered.values() for note in one.notes), *result_notes(result)]
    pictures = collect_gallery(patterns, frames, measured_centres(patterns, result.columns))
    return replace(result, notes=tuple(dict.fromkeys(notes)), gallery=pictures, occlusion=covered, layers=layers)


def _require_able(methods: Sequence[HitMethod], question: HitQuestion) -> list[str]:
    """Names of the networks; UserError where frames are not there or patterns do not fit, before any is read."""
    question.subset.require_frames(len(question.patterns))
    networks = [one for one in methods if isinstance(one, CheckpointMethod)]
    for network in networks:
        network.require_size(question.patterns)
    return [one.name for one in networks]


def _decided(
    question: HitQuestion,
    answered: Mapping[str, Answered[HitAnswer]],
    rule: DecisionRule,
    selects: str,
    trained: Sequence[str],
) -> HitResult:
    """Decided answers of all methods, and of the ensemble of the trained networks if there are two or more."""
    patterns = question.patterns
    mean = mean_answer([answered[name].answer for name in trained]) if len(trained) > 1 else None
    return HitResult(
        path=str(patterns.path),
        format=patterns.format,
        shape=patterns.shape,
        rule=rule,
        primary_name=selects,
        answers=[DecidedAnswer.of(name, one.answer, rule) for name, one in answered.items()],
        ensemble=None if mean is None else DecidedAnswer.of(ENSEMBLE, mean, rule),
        labels={name: values for name, values in patterns.labels.items() if values.ndim == 1},
    )


def _facts(method: Any, answered: Answered[HitAnswer], question: HitQuestion) -> MethodFacts:
    facts = MethodFacts(answered.cost, answered.kept, len(question.training_frames(method)))
    if not isinstance(method, CheckpointMethod):
        return facts
    weights = sum(parameter.numel() for parameter in method.task.parameters())
    return replace(facts, checkpoint=str(method.checkpoint), weights=weights, device=method.device)


def write_hits(folder: Path, result: HitResult, patterns: PatternFile, uncertain: bool = False) -> HitResult:
    """Write an evaluation: selection lists, metrics.json, predictions.h5 and predictions.csv.

    Args:
        folder: Run folder, made if it is not there.
        result: Result as `evaluate_hits` gives it.
        patterns: File of the frames.
        uncertain: Whether to select frames that are taken but uncertain, too.

    Returns:
        The result with the names of the files in it, as it was written.

    Raises:
        UserError: A file cannot be written.
    """
    primary, metrics = result.primary, dict(result.metrics)
    chosen = np.flatnonzero((primary.decision == 1) & (~primary.abstain | uncertain))
    files = write_selection_lists(folder / "selection", patterns, chosen, primary.name)
    if "comparison" in metrics:
        common = common_set([answer.decision for answer in result.answers])
        lists = write_selection_lists(folder / "selection" / "common", patterns, common, "every method")
        metrics["comparison"] |= {"common_files": [f"selection/common/{name}" for name in lists]}
    if len(result.contradicted):
        write_text(folder / SECOND_LOOK, _second_look(result))
    selected = Selected(chosen, [f"selection/{name}" for name in files], result.selected.reason)
    result = replace(result, metrics=metrics, selected=selected)
    write_json(folder / METRICS, metrics)
    result.save(folder)
    return result


def _second_look(result: HitResult) -> str:
    """Text of the list of frames whose label every method contradicts: numbers, with what was said of each behind #."""
    names = ", ".join(printable(one.name) for one in result.answers)
    lines = [f"# frames of {printable(Path(result.path).name)} whose label is contradicted by {names}"]
    for frame in result.contradicted.tolist():
        label = "single" if result.labels[IS_SINGLE_HIT][frame] == 1 else "other"
        said = ", ".join(f"{one.probability[frame]:.2f}" for one in result.answers)
        lines.append(f"{frame}  # labelled {label}; p {said}")
    return "\n".join(lines) + "\n"


def excluded_frames(exclude: Sequence[int] | None, patterns: PatternFile) -> NDArray[np.int64]:
    """Frames to leave out of test_kept, (n,) int64, sorted; UserError if one is not there or nothing is labelled."""
    try:
        frames = np.unique(np.asarray(list(exclude or []), dtype=np.int64))
    except (TypeError, ValueError) as error:
        raise UserError(f"data.exclude={exclude} must be a list of frame numbers, e.g. [6,8,9]") from error
    if len(frames) and IS_SINGLE_HIT not in patterns.labels:
        raise UserError(
            f"data.exclude: {patterns.path} has no labels, so there are no numbers to leave frames out of; name "
            "the labels with data.keys.label="
        )
    return patterns.check_indices(frames)


ENSEMBLE = "ensemble"


def primary_name(wanted: str | None, names: Sequence[str], trained: Sequence[str]) -> str:
    """Name of the method that selects.

    Args:
        wanted: Name of a method, the last part of one, or a run folder; None: the ensemble of the trained networks if
            there are two or more, else the one trained network, else the first method.
        names: Names of all methods, in the order of the command.
        trained: Names of those that are trained networks.

    Raises:
        UserError: The named one does not exist, or the name fits two or more.
    """
    choices = [*names, *([ENSEMBLE] if len(trained) > 1 else [])]
    if wanted is None:
        return ENSEMBLE if len(trained) > 1 else [*trained, *names][0]
    last = "/".join(Path(wanted).parts[-2:])
    for found in (
        [name for name in choices if name == wanted],
        [name for name in choices if name == last or name.endswith(f"/{wanted}")],
    ):
        if len(found) == 1:
            return found[0]
        if found:
            break
    what = "the name fits more than one method" if found else "there is no such method"
    raise UserError(f"selection.method={wanted}: {what}; choose one of {', '.join(choices)}")


def reason_of(
    name: str, names: Sequence[str], trained: Sequence[str], areas: Mapping[str, float | None] | None = None
) -> str:
    """Reason why a method selects where none was named, as the end of a sentence; empty for one method alone.

    Args:
        name: Name of the method that selects.
        names, trained: Names of all methods and of the trained networks, as for primary_name.
        areas: Area under the ROC curve of each method by its name, where labels exist.
    """
    if len(names) < 2:
        return ""
    which = f"the mean of the {len(trained)} networks among" if name == ENSEMBLE else "the one network among"
    which = which if name == ENSEMBLE or trained else "the first of"
    known = {other: area for other, area in (areas or {}).items() if area is not None}
    best, better = max(known, key=lambda other: known[other], default=name), ""
    if known.get(best, 0) > known.get(name, 1):
        better = f": {best} ranks better (area under ROC {known[best]:.3f} against {known[name]:.3f})"
    return f"; {name} is {which} {len(names)} methods, selection.method=NAME chooses another{better}"
