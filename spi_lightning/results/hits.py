"""What an evaluation left in its run folder, read back for figures and tables."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from spi_lightning.fields import DISTANCE_FROM_TRAINING, IS_SINGLE_HIT
from spi_lightning.files import atomic_write
from spi_lightning.io.hdf5.file import dataset, opened
from spi_lightning.io.json_file import read_json, read_metrics
from spi_lightning.notes import Note
from spi_lightning.write_errors import new_hdf5

Numbers = dict[str, Any]


@dataclass(frozen=True)
class Gallery:
    """Patterns picked for the page.

    Attributes:
        choices: Title of each gallery -> frame numbers, (n,) each.
        frame: (n,) frames stored, sorted.
        photons: (n, h, w) float32 counts, perhaps binned.
        mask: (h, w) or (n, h, w) bool, True = measured.
        beam_centre: (n, 2) row, column in pixels of ``photons``; NaN where unknown.
        binned: Detector pixels per pixel of ``photons`` and axis.
    """

    choices: dict[str, NDArray[np.int64]]
    frame: NDArray[np.int64]
    photons: NDArray[np.float32]
    mask: NDArray[np.bool_]
    beam_centre: NDArray[np.float32]
    binned: int

    def write(self, path: Path) -> None:
        """Write gallery.h5, whole or not at all."""
        with atomic_write(path) as part, new_hdf5(part) as file:
            file.attrs["binned"] = self.binned
            for name in ("frame", "photons", "mask", "beam_centre"):
                values = getattr(self, name)
                file.create_dataset(name, data=values, compression="gzip" if values.size else None)
            choices = file.create_group("choices", track_order=True)
            for title, frames in self.choices.items():
                choices[title] = frames

    @classmethod
    def read(cls, path: Path) -> "Gallery":
        """Read gallery.h5."""
        with opened(path) as file:
            arrays = {name: file[name][()] for name in ("frame", "photons", "mask", "beam_centre")}
            choices = {str(title): dataset(file, f"choices/{title}", "gallery.h5")[()] for title in file["choices"]}
            return cls(choices=choices, binned=int(file.attrs["binned"]), **arrays)


@dataclass(frozen=True)
class AnswerTable:
    """One method's answer as stored: name and (N,) score, probability, decision, abstain."""

    name: str
    score: NDArray[np.float32]
    probability: NDArray[np.float32]
    decision: NDArray[np.int64]
    abstain: NDArray[np.bool_]
    distance_from_training: NDArray[np.float32] | None = None
    usual_distance: float | None = None


@dataclass(frozen=True)
class EvaluationFiles:
    """A run folder of evaluate.py, read."""

    folder: Path
    about: dict[str, Any]
    metrics: Numbers
    frame: NDArray[np.int64]
    headline: AnswerTable
    answers: list[AnswerTable]
    threshold: float
    abstain_within: float
    excluded: NDArray[np.bool_]
    given: NDArray[np.bool_]
    labels: dict[str, NDArray[Any]]
    columns: dict[str, NDArray[Any]]
    features: NDArray[np.float32] | None
    features_of: str
    gallery: Gallery | None

    @property
    def notes(self) -> list[Note]:
        """Notes of the file, the methods and the numbers."""
        return [Note.read(plain) for plain in self.about.get("notes", [])]


def read_evaluation(folder: Path) -> EvaluationFiles:
    """Read the files of one evaluation.

    Raises:
        UserError: The folder is no finished evaluation, or one of its files is damaged.
    """
    with opened(folder / "predictions.h5") as file:
        stored = _read_predictions(file)
    gallery = folder / "gallery.h5"
    return EvaluationFiles(
        folder=folder,
        about=read_json(folder / "evaluation.json"),
        metrics=read_metrics(folder / "metrics.json"),
        gallery=Gallery.read(gallery) if gallery.is_file() else None,
        **stored,
    )


def _read_predictions(file: h5py.File) -> dict[str, Any]:
    answers = [_read_answer(file["methods"][number]) for number in sorted(file["methods"], key=int)]
    with_features = [file, *(file["methods"][number] for number in sorted(file["methods"], key=int))]
    features = next((group for group in with_features if "features" in group), None)
    return {
        "frame": file["frame"][()],
        "headline": _read_answer(file),
        "answers": answers,
        "threshold": float(file.attrs["threshold"]),
        "abstain_within": float(file.attrs["abstain_within"]),
        "excluded": file["excluded"][()],
        "given": file["given"][()] if "given" in file else np.zeros(len(file["frame"]), dtype=bool),
        "labels": {name: item[()] for name, item in file.get("labels", {}).items()},
        "columns": {name: item[()] for name, item in file.get("columns", {}).items()},
        "features": None if features is None else features["features"][()],
        "features_of": "" if features is None else str(features.attrs["name"]),
    }


def _read_answer(group: h5py.Group) -> AnswerTable:
    names = ("score", "probability", "decision", "abstain")
    distance = group[DISTANCE_FROM_TRAINING][()] if DISTANCE_FROM_TRAINING in group else None
    usual = group.attrs.get("usual_distance")
    arrays = {name: group[name][()] for name in names}
    return AnswerTable(str(group.attrs["name"]), **arrays, distance_from_training=distance, usual_distance=usual)


def known_labels(files: EvaluationFiles) -> NDArray[np.int64] | None:
    """(N,) is_single_hit, -1 where unknown or given to a method; None if nothing is left to score."""
    label = files.labels.get(IS_SINGLE_HIT)
    if label is None:
        return None
    scored = np.where(files.given, -1, label)
    return scored if (scored >= 0).any() else None


def drawn_answers(files: EvaluationFiles, use: NDArray[np.bool_]) -> list[AnswerTable]:
    """What curves show of some frames, in one order so that a method keeps its colour: the headline comes last."""
    others = [answer for answer in files.answers if answer.name != files.headline.name]
    return [part_of(answer, use) for answer in ([] if len(files.answers) == 1 else others) + [files.headline]]


def part_of(answer: AnswerTable, use: NDArray[np.bool_]) -> AnswerTable:
    """The answer to some frames, (N,) bool."""
    return AnswerTable(
        answer.name, answer.score[use], answer.probability[use], answer.decision[use], answer.abstain[use]
    )
