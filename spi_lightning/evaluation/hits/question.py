"""Question of hit selection: all frames of a file, once or once for each fold of its labels."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spi_lightning.evaluation.protocol import Question
from spi_lightning.fields import IS_SINGLE_HIT
from spi_lightning.io.patterns.content_key import content_key
from spi_lightning.io.patterns.pattern_file import PatternFile
from spi_lightning.methods.hits.labelled_subset import LabelledSubset
from spi_lightning.notes import Note
from spi_lightning.results.hit_answer import HitAnswer, HitPart


@dataclass(frozen=True)
class HitQuestion(Question[HitPart, HitAnswer]):
    """Which frames of a file are single hits?

    Methods whose class attribute ``needs_labels`` is true learn from labelled frames of the file: a labelled subset, or
    the labels of all other folds. All others get no label.

    Args:
        patterns: File of N frames; its labels are hidden from methods.
        subset: Choice of the labels that a method may learn from.
    """

    answer_type: ClassVar[type[HitAnswer]] = HitAnswer
    remedy: ClassVar[str] = "leave it out, or train a network again with a smaller optimizer.lr"
    patterns: PatternFile
    subset: LabelledSubset = field(default_factory=LabelledSubset)

    @property
    def label(self) -> NDArray[np.int64] | None:
        """(N,) is_single_hit, -1 where unknown; None without labels."""
        return self.patterns.labels.get(IS_SINGLE_HIT)

    @cached_property
    def unlabelled(self) -> PatternFile:
        """The file without its labels; the same object for all parts, so that methods can keep what they read of it."""
        hidden = copy.copy(self.patterns)
        hidden.labels = {}
        return hidden

    @cached_property
    def content(self) -> str:
        """Hash of frames, masks and geometry."""
        return content_key(self.patterns)

    @property
    def whole(self) -> HitPart:
        """All frames, without any label."""
        return HitPart(self.content, None, self.unlabelled)

    def parts(self, method: Any) -> Iterator[HitPart]:
        """All frames without labels, with the labelled subset, or once for each fold.

        Raises:
            UserError: The method needs labels that the file lacks, or a frame cannot be read.
        """
        if not needs_labels(method):
            yield self.whole
            return
        subset = self.resolved
        if not subset.folds:
            yield HitPart(self.content, subset.draw(self.label), self.unlabelled)
            return
        for labelled, held_out in subset.deal(self.label):
            yield HitPart(self.content, labelled, self.unlabelled, held_out)

    @cached_property
    def resolved(self) -> LabelledSubset:
        """The choice of labels with all numbers filled in.

        Raises:
            UserError: The file has no labels.
        """
        return self.subset.resolved(self.label)

    def training_frames(self, method: Any) -> NDArray[np.int64]:
        """(k,) frames of whose labels a method learns; with folds all labelled ones, each left out once."""
        if not needs_labels(method):
            return np.empty(0, dtype=np.int64)
        if self.resolved.folds:
            assert self.label is not None
            return np.flatnonzero(self.label >= 0)
        return self.resolved.draw(self.label).frame

    def subset_frames(self, methods: Sequence[Any]) -> NDArray[np.int64]:
        """(k,) frames that are not scored since some method learns from them; empty with folds, which score all."""
        learners = [method for method in methods if needs_labels(method)]
        return (
            self.training_frames(learners[0]) if learners and not self.resolved.folds else np.empty(0, dtype=np.int64)
        )

    def fold_notes(self, methods: Sequence[Any]) -> list[Note]:
        """Note on the methods that are answered fold by fold."""
        learners = [method for method in methods if needs_labels(method)]
        if not learners or not self.resolved.folds:
            return []
        count = min(self.resolved.folds, len(self.training_frames(learners[0])))
        how = "one frame left out at a time" if count == len(self.patterns) else f"{count} folds"
        text = f"each labelled frame is answered with the labels of others alone ({how})"
        return [Note.of(text, ", ".join(method.name for method in learners))]

    def sizes(self, part: HitPart) -> dict[str, int]:
        """N, the number of frames."""
        return {"N": len(self.patterns)}

    def join(self, parts: Sequence[HitPart], answers: Sequence[HitAnswer]) -> HitAnswer:
        """Every labelled frame from the fold that held it out, every other frame from the mean of all folds."""
        if len(answers) == 1:
            return answers[0]
        score, probability = (
            np.mean([getattr(one, name) for one in answers], axis=0) for name in ("score", "probability")
        )
        none = np.zeros(len(score), dtype=bool)
        by_fold = [none if one.undecided is None else one.undecided for one in answers]
        undecided = np.logical_and.reduce(by_fold)
        for part, answer, unknown in zip(parts, answers, by_fold, strict=True):
            held_out = part.held_out
            score[held_out], probability[held_out] = answer.score[held_out], answer.probability[held_out]
            undecided[held_out] = unknown[held_out]
        return replace(
            answers[0],
            score=score.astype(np.float32),
            probability=probability.astype(np.float32),
            undecided=undecided if undecided.any() else None,
            features=None,
            class_probability=None,
        )


def needs_labels(method: Any) -> bool:
    """Whether a method learns from labelled frames of the evaluated file."""
    return bool(getattr(method, "needs_labels", False))
