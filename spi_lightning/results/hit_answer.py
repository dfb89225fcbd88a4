"""What every method gives back: one probability and one decision for each frame."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from spi_lightning.console import Terminal
from spi_lightning.errors import UserError
from spi_lightning.fingerprint import Irrelevant
from spi_lightning.io.patterns.pattern_file import PatternFile
from spi_lightning.notes import Note

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Answer:
    """A method's answer to N frames.

    Attributes:
        name: The method.
        frame: (N,) int64, index of the pattern in its file.
        score: (N,) float32, uncalibrated probability of a single hit.
        probability: (N,) float32, calibrated probability of a single hit.
        decision: (N,) int64, 1 where the frame is taken as a single hit.
        abstain: (N,) bool, True where the method would rather not decide.
        seconds: Wall time of the whole answer, reading included, s.
        features: (N, d) float32 penultimate values of a network, if there are any.
        class_probability: (N, classes) float32 over the first classes of Kind, if the method knows them.
        distance_from_training: (N,) float32, how unlike the patterns a network was validated on each frame looks; 99 %
            of those lie below 1.
        usual_distance: What 90 % of those lie below.
    """

    name: str
    frame: NDArray[np.int64]
    score: Floats
    probability: Floats
    decision: NDArray[np.int64]
    abstain: NDArray[np.bool_]
    seconds: float
    features: Floats | None = None
    class_probability: Floats | None = None
    distance_from_training: Floats | None = None
    usual_distance: float | None = None


@dataclass(frozen=True)
class Given:
    """Frames whose label a method is told; it must not be scored on them.

    Attributes:
        frame: (k,) int64, index of the pattern in its file, no frame twice.
        is_single_hit: (k,) int64, 1 for a single hit, 0 for anything else.
    """

    frame: NDArray[np.int64]
    is_single_hit: NDArray[np.int64]

    def require_both(self, name: str, least: int = 1) -> None:
        """UserError unless there are ``least`` frames of each label, for the method of this name."""
        for label, word in ((1, "single hits"), (0, "other hits")):
            count = int((self.is_single_hit == label).sum())
            if count < least:
                raise UserError(
                    f"{name} was given {count} labelled {word} and needs {least} or more: raise given.per_class, or "
                    "name frames with given.frames=[...]."
                )


@dataclass(frozen=True)
class HitPart:
    """All frames of a file, with the labels of those from which a method may learn.

    Attributes:
        content: Hash of frames, masks and geometry, see io.patterns.content_key.
        labelled: Training labels; None for methods without need of them.
        patterns: The file, without its labels.
        held_out: (k,) int64, frames of a fold whose labels are not among the training labels; empty without folds.
    """

    content: str
    labelled: Given | None
    patterns: Irrelevant[PatternFile]
    held_out: Irrelevant[NDArray[np.int64]] = field(default_factory=lambda: np.empty(0, dtype=np.int64))


@dataclass(frozen=True)
class HitAnswer:
    """Probabilities of a single hit of all N frames of a file; a decision is made of them by a DecisionRule.

    Attributes:
        score: (N,) float32, uncalibrated probability of a single hit.
        probability: (N,) float32, calibrated probability of a single hit.
        undecided: (N,) bool, frames of which the method can say nothing: not taken, whatever the rule; None: no such.
        features: (N, d) float32, penultimate values of a network; None where there are none.
        class_probability: (N, classes) float32 over the first classes of Kind; None where they are not known.
        distance_from_training: (N,) float32, how unlike the validation patterns of a network each frame is; 99 % of
            those lie below 1.
        usual_distance: Distance below which 90 % of those lie.
    """

    score: Floats
    probability: Floats
    undecided: NDArray[np.bool_] | None = None
    features: Floats | None = None
    class_probability: Floats | None = None
    distance_from_training: Floats | None = None
    usual_distance: float | None = None


class Method(Protocol):
    """Anything that answers patterns: a checkpoint, a baseline, later a phasing recipe.

    ``needs_given`` is True for methods that learn from a few labelled frames of the file they answer.
    """

    name: str
    needs_given: bool

    def answer(self, patterns: PatternFile, given: Given | None = None) -> Answer:
        """Answer every frame of a file, in the order of the file, the given ones included."""
        ...


@dataclass(frozen=True)
class DecisionRule:
    """From a probability to a decision.

    Args:
        threshold: A frame is taken as a single hit where its probability reaches it.
        abstain_within: Half width of the band around the threshold in which the method abstains; 0: never.

    Raises:
        UserError: The threshold is not inside (0, 1) or the band is negative.
    """

    threshold: float = 0.5
    abstain_within: float = 0.1

    def __post_init__(self) -> None:
        if not 0 < self.threshold < 1:
            raise UserError(f"decision.threshold={self.threshold:g} must lie between 0 and 1.")
        if self.abstain_within < 0:
            raise UserError(f"decision.abstain_within={self.abstain_within:g} must not be negative.")

    def __call__(self, probability: Floats) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """(N,) probabilities -> decisions (N,) int64 and abstentions (N,) bool."""
        decision = (probability >= self.threshold).astype(np.int64)
        return decision, np.abs(probability - self.threshold) < self.abstain_within


def ensemble(answers: Sequence[Answer], rule: DecisionRule, name: str = "ensemble") -> Answer:
    """Mean of the probabilities of several methods over the same frames, decided anew.

    Source: Lakshminarayanan et al. (2017), Sect. 2.4, deep ensembles as a uniform mixture.
    """
    probability = _mean([answer.probability for answer in answers])
    classes = [answer.class_probability for answer in answers if answer.class_probability is not None]
    alike = len(classes) == len(answers) and len({each.shape for each in classes}) == 1
    decision, abstain = rule(probability)
    return Answer(
        name=name,
        frame=answers[0].frame,
        score=_mean([answer.score for answer in answers]),
        probability=probability,
        decision=decision,
        abstain=abstain,
        seconds=sum(answer.seconds for answer in answers),
        class_probability=_mean(classes) if alike else None,
    )


def _mean(arrays: Sequence[Floats]) -> Floats:
    mean: Floats = np.stack(arrays).mean(axis=0, dtype=np.float64).astype(np.float32)
    return mean


class Notes(list[Note]):
    """What a method has to say about a file; said on stderr when it is new."""

    def __init__(self) -> None:
        super().__init__()
        self._listeners: list[list[Note]] = []

    def say(self, note: Note) -> None:
        """Keep a note, and show it unless it was said before."""
        for lines in self._listeners:
            if note not in lines:
                lines.append(note)
        if note not in self:
            self.append(note)
            Terminal(stderr=True).print(str(note), soft_wrap=True, highlight=False)

    @contextmanager
    def heard(self) -> Iterator[list[Note]]:
        """Collect what is said in the block, also what was said before: another file's answer may say the same."""
        lines: list[Note] = []
        self._listeners.append(lines)
        try:
            yield lines
        finally:
            self._listeners.remove(lines)
