"""Labelled subset and folds: labels from which methods may learn, which are never scored on those frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spi_lightning.errors import UserError
from spi_lightning.results.hit_answer import TrainingLabels

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


def _require_labels(label: NDArray[np.int64] | None) -> NDArray[np.int64]:
    if label is None or not (label >= 0).any():
        raise UserError(
            "a method that learns from labelled frames needs a file with labels: name them with "
            "data.keys.label=, or leave the method out"
        )
    return label
