"""The question that hit selection asks: all frames of a file, once or once for each fold of its labels."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spi_lightning.errors import UserError
from spi_lightning.io.patterns.content_key import content_key
from spi_lightning.io.patterns.pattern_file import PatternFile
from spi_lightning.methods.hits.labelled_subset import GivenPlan
from spi_lightning.results.hit_answer import HitAnswer, HitPart


@dataclass(frozen=True)
class HitQuestion:
    """Which frames of a file are single hits?

    Methods whose class attribute ``needs_labels`` is true learn from labelled frames of the file: a labelled subset, or
    the labels of all other folds. All others get no label.

    Args:
        patterns: File of N frames; its labels are hidden from methods.
        label: (N,) is_single_hit, -1 where unknown; None without labels.
        plan: Choice of the labels that a method may learn from.
    """

    answer_type: ClassVar[type[HitAnswer]] = HitAnswer
    patterns: PatternFile
    label: NDArray[np.int64] | None
    plan: GivenPlan

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

    def parts(self, method: Any) -> Iterator[HitPart]:
        """All frames without labels, with the labelled subset, or once for each fold.

        Raises:
            UserError: The method needs labels that the file lacks, or a frame cannot be read.
        """
        if not getattr(method, "needs_labels", False):
            yield HitPart(self.content, None, self.unlabelled)
            return
        plan = self.plan.settled(self.label)
        if not plan.folds:
            yield HitPart(self.content, plan.drawn(self.label), self.unlabelled)
            return
        for labelled, held_out in plan.dealt(self.label):
            yield HitPart(self.content, labelled, self.unlabelled, held_out)

    def check(self, answer: HitAnswer, name: str) -> None:
        """Refuse probabilities that are no numbers: no decision can come of them."""
        broken = np.flatnonzero(~(np.isfinite(answer.probability) & np.isfinite(answer.score)))
        if len(broken):
            raise UserError(
                f"{self.patterns.path}: {name} gives NaN for {len(broken)} of {len(answer.score)} frames, frame "
                f"{broken[0]} first; train it again with a smaller optimizer.lr, or leave it out"
            )

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
