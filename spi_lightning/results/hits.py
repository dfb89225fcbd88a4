"""Result of an evaluation of hits, predictions.h5 of its run folder, from which the page is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from spi_lightning import codec
from spi_lightning.fields import ABSTAIN, DECISION, DISTANCE_FROM_TRAINING, FRAME, IS_SINGLE_HIT, PROBABILITY, SCORE
from spi_lightning.notes import Note
from spi_lightning.summary import Summarised

from .answered import Cost
from .decision import DecisionRule
from .hit_answer import HitAnswer
from .hit_columns import write_columns
from .hit_pictures import Gallery, LayerMaps, Occlusion

HITS_FILE: Final = "predictions.h5"
GALLERY_FILE: Final = "gallery.h5"
TABLE: Final = "predictions.csv"
SECOND_LOOK: Final = "second_look.txt"
"""Numbers of the frames whose label every method contradicts, which ``spi label only=`` takes."""
Columns = dict[str, NDArray[Any]]
_NONE: Final = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, kw_only=True, repr=False)
class DecidedAnswer(HitAnswer):
    """Answer of one method under its name, with the decisions made of it.

    Attributes:
        name: Name of the method.
        decision: (N,) int64, 1 where the frame is taken as a single hit.
        abstain: (N,) bool, True where the method would rather not decide.
    """

    name: str
    decision: NDArray[np.int64]
    abstain: NDArray[np.bool_]

    @classmethod
    def of(cls, name: str, answer: HitAnswer, rule: DecisionRule) -> DecidedAnswer:
        """An answer decided by a rule."""
        decision, abstain = rule(answer.probability, answer.undecided)
        inner = {one.name: getattr(answer, one.name) for one in fields(HitAnswer)}
        return cls(name=name, decision=decision, abstain=abstain, **inner)

    @property
    def ranking(self) -> NDArray[np.float64]:
        """(N,) value by which thresholds select frames: the probability, and 0, which none selects, where undecided."""
        probability = self.probability.astype(np.float64)
        return probability if self.undecided is None else np.where(self.undecided, 0.0, probability)

    def part(self, use: NDArray[np.bool_]) -> DecidedAnswer:
        """Scores, probabilities and decisions of some frames, (N,) bool."""
        return DecidedAnswer(
            name=self.name,
            score=self.score[use],
            probability=self.probability[use],
            decision=self.decision[use],
            abstain=self.abstain[use],
            undecided=None if self.undecided is None else self.undecided[use],
        )


@dataclass(frozen=True)
class MethodFacts:
    """What a method was, and what its answer cost.

    Attributes:
        cost: Time and memory of the answer, when it was made.
        kept: Whether the answer was read from the cache.
        labels: Number of frames whose labels it learnt from; with folds all labelled frames.
        checkpoint: Path of the checkpoint of a network; empty for other methods.
        weights: Number of weights of a network.
        device: Name of the device of a network.
    """

    cost: Cost
    kept: bool = False
    labels: int = 0
    checkpoint: str = ""
    weights: int = 0
    device: str = ""


@dataclass(frozen=True, repr=False)
class Selected(Summarised):
    """Frames selected as single hits.

    Attributes:
        frame: (n,) int64 frames of the primary method.
        files: Names of the lists in the run folder.
        reason: End of a sentence on why the primary method selects; empty where the user named it.
    """

    frame: NDArray[np.int64] = field(default_factory=lambda: _NONE)
    files: list[str] = field(default_factory=list)
    reason: str = ""


@dataclass(frozen=True, repr=False)
class HitResult(Summarised):
    """Evaluation of methods on the N frames of one file.

    Attributes:
        path, format: File of the patterns as the user named it, and its format in words.
        shape: Number of frames N, and height and width of a pattern in pixels.
        rule: Rule from probabilities to decisions.
        primary_name: Name of the method that selects: of one of ``answers``, or the ensemble.
        answers: Answers of all methods, in the order of the command.
        ensemble: Mean of the trained networks; None for fewer than two.
        methods: Name of a method -> what it was and cost.
        labels: Name of a field -> (N,) values, as far as the file has them.
        columns: Name -> (N,) values measured per frame (photons, beam centre, size, ...).
        excluded: (k,) frames left out of ``test_kept`` numbers.
        training_frames: (k,) frames of whose labels some method learnt, left out of all numbers.
        metrics: Numbers of metrics.json by name.
        notes: Notes on the file, the methods and the numbers.
        selected: Frames selected as single hits.
        gallery: Patterns for the page, kept in a file of their own.
        occlusion, layers: Occlusion maps and activations of the first network for some frames; None without a network.
        command: Command line of the evaluation.

    Examples:
        >>> from spi_lightning import evaluate
        >>> result = evaluate("hits.cxi", "photon_count")
        >>> result.primary_name, result.primary.probability.shape
        ('photon_count', (24,))
        >>> figure = result.plot()
    """

    drawn_by: ClassVar[str] = "spi_lightning.reports.drawing:hits"
    path: str
    format: str
    shape: tuple[int, int, int]
    rule: DecisionRule
    primary_name: str
    answers: list[DecidedAnswer]
    ensemble: DecidedAnswer | None = None
    methods: dict[str, MethodFacts] = field(default_factory=dict)
    labels: Columns = field(default_factory=dict)
    columns: Columns = field(default_factory=dict)
    excluded: NDArray[np.int64] = field(default_factory=lambda: _NONE)
    training_frames: NDArray[np.int64] = field(default_factory=lambda: _NONE)
    metrics: dict[str, Any] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()
    selected: Selected = field(default_factory=Selected)
    gallery: Gallery | None = None
    occlusion: Occlusion | None = None
    layers: LayerMaps | None = None
    command: str = ""

    def facts(self) -> Mapping[str, object]:
        """File, methods, selection and, with labels, the numbers of the primary method."""
        return {
            "file": self.path,
            "patterns": f"{self.shape[0]:,} of {self.shape[1]} x {self.shape[2]} pixels",
            "methods": [answer.name for answer in self.answers],
            "primary": self.primary_name,
            "selected": int((self.primary.decision.astype(bool) & ~self.primary.abstain).sum()),
            "uncertain": int(self.primary.abstain.sum()),
            "area under ROC": self.metrics.get("test/auroc"),
            "accuracy": self.metrics.get("test/accuracy"),
            "notes": len(self.notes) or None,
        }

    @classmethod
    def load(cls, folder: Path) -> HitResult:
        """Result of a run folder, as `save` wrote it.

        Raises:
            UserError: A file is missing or damaged.
        """
        result = codec.load(folder / HITS_FILE, cls)
        pictures = folder / GALLERY_FILE
        return replace(result, gallery=codec.load(pictures, Gallery)) if pictures.is_file() else result

    @property
    def primary(self) -> DecidedAnswer:
        """Answer of the primary method."""
        return next(one for one in (*self.answers, self.ensemble) if one is not None and one.name == self.primary_name)

    @property
    def each_once(self) -> list[DecidedAnswer]:
        """Answers of all methods, that of the primary one last, so that a method keeps its colour."""
        return [*(answer for answer in self.answers if answer.name != self.primary_name), self.primary]

    @property
    def label(self) -> NDArray[np.int64] | None:
        """(N,) is_single_hit of scored frames, -1 elsewhere; None if no frame is left to score."""
        label = self.labels.get(IS_SINGLE_HIT)
        if label is None:
            return None
        scored = np.where(self.mark(self.training_frames), -1, label)
        return scored if (scored >= 0).any() else None

    @property
    def contradicted(self) -> NDArray[np.int64]:
        """(n,) frames against whose label each of two or more methods decides without abstaining, the surest first."""
        label = self.label
        if label is None or len(self.answers) < 2:
            return _NONE
        against = [(one.decision != label) & ~one.abstain for one in self.answers]
        frames = np.flatnonzero(np.logical_and.reduce(against) & (label >= 0))
        apart = np.mean([np.abs(one.probability[frames] - label[frames]) for one in self.answers], axis=0)
        return frames[np.argsort(-apart, kind="stable")]

    def mark(self, frames: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(N,) bool, True for some frames (k,)."""
        return np.isin(np.arange(self.shape[0]), frames)

    def scored(self, use: NDArray[np.bool_]) -> Sequence[DecidedAnswer]:
        """Answers of ``each_once`` to some frames, (N,) bool."""
        return [answer.part(use) for answer in self.each_once]

    def table(self) -> Columns:
        """Columns of predictions.csv, (N,) each."""
        primary = self.primary
        columns: Columns = {FRAME: np.arange(self.shape[0])}
        columns |= {name: getattr(primary, name) for name in (SCORE, PROBABILITY, DECISION, ABSTAIN)}
        if primary.distance_from_training is not None:
            columns[DISTANCE_FROM_TRAINING] = primary.distance_from_training
        columns |= {**self.labels, **self.columns}
        for name, frames in (("excluded", self.excluded), ("training_label", self.training_frames)):
            if len(frames):
                columns[name] = self.mark(frames)
        if len(self.answers) > 1:
            columns |= {f"{PROBABILITY}:{answer.name}": answer.probability for answer in self.answers}
        return columns

    def save(self, folder: Path) -> None:
        """Write predictions.h5, gallery.h5 with the pictures, and predictions.csv; each appears whole or not at all."""
        if self.gallery is not None:
            codec.save(folder / GALLERY_FILE, self.gallery)
        codec.save(folder / HITS_FILE, replace(self, gallery=None))
        write_columns(folder / TABLE, self.table())
