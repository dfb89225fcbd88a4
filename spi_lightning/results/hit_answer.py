"""Answers of methods that select single hits: scores and probabilities for each frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from spi_lightning.errors import UserError
from spi_lightning.fingerprint import Irrelevant
from spi_lightning.io.patterns.pattern_file import PatternFile
from spi_lightning.physics.frames.frame_scale import FrameScale
from spi_lightning.summary import Summarised

from .layout import Layout

Floats = NDArray[np.float32]


@dataclass(frozen=True, repr=False)
class TrainingLabels(Summarised):
    """Labelled frames from which a method may learn; it must not be scored on them.

    Attributes:
        frame: (k,) int64, index of the pattern in its file, no frame twice.
        is_single_hit: (k,) int64, 1 for a single hit, 0 for anything else.
    """

    frame: NDArray[np.int64]
    is_single_hit: NDArray[np.int64]

    def require_both(self, name: str) -> None:
        """UserError unless there are frames of both labels, for the method of this name."""
        for label, word in ((1, "single hits"), (0, "other hits")):
            if not (self.is_single_hit == label).any():
                raise UserError(
                    f"{name} has 0 labelled {word} to learn from and needs 1 or more: raise training_labels.per_class, "
                    "or name frames with training_labels.frames=[...]"
                )


@dataclass(frozen=True, repr=False)
class HitPart(Summarised):
    """All frames of a file, with the labels of those from which a method may learn.

    Attributes:
        content: Hash of frames, masks and geometry, see io.patterns.content_key.
        labelled: Training labels; None for methods that do not learn from labels.
        patterns: The file, without its labels.
        held_out: (k,) int64, frames of a fold whose labels are not among the training labels; empty without folds.
    """

    content: str
    labelled: TrainingLabels | None
    patterns: Irrelevant[PatternFile]
    held_out: Irrelevant[NDArray[np.int64]] = field(default_factory=lambda: np.empty(0, dtype=np.int64))


@dataclass(frozen=True, repr=False)
class HitAnswer(Summarised):
    """Probabilities of a single hit of all N frames of a file; a DecisionRule makes decisions of them.

    Attributes:
        score: (N,) float32, uncalibrated probability of a single hit.
        probability: (N,) float32, calibrated probability of a single hit.
        undecided: (N,) bool, frames that the method cannot score: not taken, whatever the rule; None: there are none.
        features: (N, d) float32, penultimate values of a network; None where there are none.
        class_probability: (N, classes) float32 over the first classes of Kind; None where they are not known.
        distance_from_training: (N,) float32, how unlike the validation patterns of a network each frame is; 99 % of
            those lie below 1.
        usual_distance: Distance below which 90 % of those lie.
        is_hit: (N,) bool, frames with a hit, of a network that answers others with probability 0; None: it answers all.
        scale: Scale at which a network that takes patterns of any size took them; None of other methods.
    """

    layout: ClassVar[Layout] = {
        "score": "finite real N",
        "probability": "finite real N",
        "undecided": "bool N or None",
        "features": "real N d or None",
        "class_probability": "real N classes or None",
        "distance_from_training": "real N or None",
        "is_hit": "bool N or None",
    }

    score: Floats
    probability: Floats
    undecided: NDArray[np.bool_] | None = None
    features: Floats | None = None
    class_probability: Floats | None = None
    distance_from_training: Floats | None = None
    usual_distance: float | None = None
    is_hit: NDArray[np.bool_] | None = None
    scale: FrameScale | None = None


def mean_answer(answers: Sequence[HitAnswer]) -> HitAnswer:
    """Mean of the probabilities of several methods over the same frames.

    Source: Lakshminarayanan et al. (2017), Sect. 2.4, deep ensembles as a uniform mixture.
    """
    classes = [answer.class_probability for answer in answers if answer.class_probability is not None]
    alike = len(classes) == len(answers) and len({each.shape for each in classes}) == 1
    return HitAnswer(
        score=_mean([answer.score for answer in answers]),
        probability=_mean([answer.probability for answer in answers]),
        class_probability=_mean(classes) if alike else None,
    )


def _mean(arrays: Sequence[Floats]) -> Floats:
    mean: Floats = np.stack(arrays).mean(axis=0, dtype=np.float64).astype(np.float32)
    return mean
