"""Question of hit selection: all frames of a file, once or for each fold of its labels, and the choice of labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spi_lightning.errors import UserError
from spi_lightning.evaluation.protocol import Question
from spi_lightning.fields import IS_SINGLE_HIT
from spi_lightning.io.patterns.content_key import content_key
from spi_lightning.io.patterns.pattern_file import PatternFile
from spi_lightning.notes import Note
from spi_lightning.results.hit_answer import HitAnswer, HitPart, TrainingLabels

USUAL_PER_CLASS, LEAVE_ONE_OUT_UP_TO, MANY_FOLDS = 10, 50, 10


@dataclass(frozen=True)
class LabelledSubset:
    """Choice of the labels from which methods may learn.

    Args:
        per_class: Number of frames of each label, drawn at random, all others being scored. None, without frames and
            folds: 10 where a file has 20 or more of each label, else folds (one frame left out of up to 50, or
            ten folds).
        frames: Frame numbers instead of drawn ones.
        folds: Number of folds instead of both: labelled frames are dealt into so many folds, each answered with the
            labels of all others, so that every frame is scored; as many folds as frames leaves one out. 0: no folds.
        seed: Seed of the random draw.

    Raises:
        UserError: A negative number, one fold, or frames together with folds.
    """

    per_class: int | None = None
    frames: Sequence[int] = ()
    folds: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.per_class is not None and self.per_class < 1:
            raise UserError(f"training_labels.per_class={self.per_class} must be 1 or more")
        if self.folds < 0 or self.folds == 1:
            raise UserError(f"training_labels.folds={self.folds} must be 0 (no folds) or 2 and more")
        if self.folds and len(self.frames):
            raise UserError("training_labels.folds and training_labels.frames exclude each other: leave one out")

    def resolved(self, label: NDArray[np.int64] | None) -> LabelledSubset:
        """The same choice with all numbers filled in, for labels (N,), -1 where unknown."""
        if self.per_class is not None or len(self.frames) or self.folds:
            return self
        label = _require_labels(label)
        if min((label == 1).sum(), (label == 0).sum()) >= 2 * USUAL_PER_CLASS:
            return replace(self, per_class=USUAL_PER_CLASS)
        labelled = int((label >= 0).sum())
        return replace(self, folds=labelled if labelled <= LEAVE_ONE_OUT_UP_TO else MANY_FOLDS)

    def draw(self, label: NDArray[np.int64] | None) -> TrainingLabels:
        """Labelled subset for every method that needs labels: the frames named, or ``per_class`` of each label.

        Args:
            label: (N,) is_single_hit, -1 where unknown; None without labels.

        Raises:
            UserError: No labels, a named frame that is not there or has none, or too few frames of a label.
        """
        label = _require_labels(label)
        self.require_frames(len(label))
        frame = np.unique(np.asarray(self.frames, dtype=np.int64)) if len(self.frames) else self._draw_frames(label)
        if (label[frame] < 0).any():
            raise UserError(f"training_labels.frames: frame {frame[label[frame] < 0][0]} has no label")
        return TrainingLabels(frame, label[frame])

    def require_frames(self, count: int) -> None:
        """Raise UserError for a named frame that a file of ``count`` frames has not."""
        wrong = [frame for frame in self.frames if not 0 <= frame < count]
        if wrong:
            raise UserError(f"training_labels.frames: {wrong[0]} is not there; the file has frames 0 to {count - 1}")

    def _draw_frames(self, label: NDArray[np.int64]) -> NDArray[np.int64]:
        random, chosen, per_class = np.random.default_rng(self.seed), [], self.per_class or USUAL_PER_CLASS
        for value, word in ((1, "single hits"), (0, "other hits")):
            members = np.flatnonzero(label == value)
            if len(members) <= per_class:
                raise UserError(
                    f"training_labels.per_class={per_class}: the file has {len(members)} frames labelled {word}, and "
                    "some must be left to score; lower it, or use training_labels.folds=N (N=frames leaves one out)"
                )
            chosen.append(random.permutation(members)[:per_class])
        return np.sort(np.concatenate(chosen))

    def deal(self, label: NDArray[np.int64] | None) -> list[tuple[TrainingLabels, NDArray[np.int64]]]:
        """Folds: training labels, and the frames answered with them, each labelled frame once.

        Frames are dealt label by label in random order, so that folds have like shares of single hits.

        Args:
            label: (N,) 1 single hit, 0 other, -1 unknown; None: there are no labels.

        Raises:
            UserError: No labels, or fewer than two frames of a label.
        """
        label = _require_labels(label)
        random = np.random.default_rng(self.seed)
        order = np.concatenate([random.permutation(np.flatnonzero(label == value)) for value in (1, 0)])
        if min((label == 1).sum(), (label == 0).sum()) < 2:
            raise UserError("training_labels.folds: two or more frames of each label are needed")
        count = min(self.folds, len(order))
        folds = []
        for number in range(count):
            answered = np.sort(order[number::count])
            others = np.setdiff1d(order, answered)
            folds.append((TrainingLabels(others, label[others]), answered))
        return folds


def _require_labels(
    label: NDArray[np.int64] | None, name: str = "a method that learns from labelled frames"
) -> NDArray[np.int64]:
    """Labels (N,); UserError without any, for the method of this name."""
    if label is None or not (label >= 0).any():
        raise UserError(
            f"{name} needs a file with a few labels: name them with data.keys.label=, or leave the method out"
        )
    return label


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
        return self.patterns.changed(labels={})

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
        _require_labels(self.label, method.name)
        if not self.resolved.folds:
            yield HitPart(self.content, self.resolved.draw(self.label), self.unlabelled)
        else:
            for labelled, held_out in self.resolved.deal(self.label):
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
        drawn = learners and not self.resolved.folds
        return self.training_frames(learners[0]) if drawn else np.empty(0, dtype=np.int64)

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
