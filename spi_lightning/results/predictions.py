"""Write answers as files: predictions.h5 for programs, predictions.csv for eyes and spreadsheets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from spi_lightning.fields import ABSTAIN, DECISION, DISTANCE_FROM_TRAINING, FRAME, IS_SINGLE_HIT, PROBABILITY, SCORE
from spi_lightning.files import atomic_write
from spi_lightning.results.csv_table import write_columns
from spi_lightning.write_errors import new_hdf5

from .hit_answer import Answer, DecisionRule

Columns = Mapping[str, NDArray[Any]]
_ANSWER = (SCORE, PROBABILITY, DECISION, ABSTAIN)


@dataclass(frozen=True)
class Predictions:
    """All that is known of N frames after an evaluation.

    Args:
        headline: The answer that counts: the only one, or the ensemble.
        answers: The answer of every method.
        rule: From probability to decision.
        labels: Field name -> (N,), as far as the file has them.
        columns: Name -> (N,) measured per frame (photons, beam centre, size, ...).
        excluded: Frames left out of ``test_kept`` numbers.
        given: Frames whose labels some method was told, left out of all numbers.
    """

    headline: Answer
    answers: Sequence[Answer]
    rule: DecisionRule
    labels: Columns = field(default_factory=dict)
    columns: Columns = field(default_factory=dict)
    excluded: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    given: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))

    @property
    def scored_label(self) -> NDArray[np.int64] | None:
        """(N,) is_single_hit, -1 where unknown or given to a method; None if nothing is left to score."""
        label = self.labels.get(IS_SINGLE_HIT)
        if label is None:
            return None
        scored = np.where(np.isin(self.headline.frame, self.given), -1, label)
        return scored if (scored >= 0).any() else None

    def write(self, folder: Path) -> None:
        """Write predictions.h5 and predictions.csv; each appears whole or not at all."""
        with atomic_write(folder / "predictions.h5") as part:
            self._write_hdf5(part)
        write_columns(folder / "predictions.csv", self._columns())

    def _write_hdf5(self, path: Path) -> None:
        with new_hdf5(path) as file:
            file.attrs.update(
                name=self.headline.name, threshold=self.rule.threshold, abstain_within=self.rule.abstain_within
            )
            _write_answer(file, self.headline)
            file["excluded"] = np.isin(self.headline.frame, self.excluded)
            file["given"] = np.isin(self.headline.frame, self.given)
            for title, arrays in (("labels", self.labels), ("columns", self.columns)):
                group = file.create_group(title, track_order=True)
                for name, values in arrays.items():
                    group[name] = values
            for number, answer in enumerate(self.answers):
                method = file.create_group(f"methods/{number}")
                method.attrs["name"] = answer.name
                _write_answer(method, answer)

    def _columns(self) -> dict[str, NDArray[Any]]:
        """Columns of predictions.csv, (N,) each."""
        columns = {FRAME: self.headline.frame, **{name: getattr(self.headline, name) for name in _ANSWER}}
        if self.headline.distance_from_training is not None:
            columns[DISTANCE_FROM_TRAINING] = self.headline.distance_from_training
        columns |= {**self.labels, **self.columns}
        if len(self.excluded):
            columns["excluded"] = np.isin(self.headline.frame, self.excluded)
        if len(self.given):
            columns["given"] = np.isin(self.headline.frame, self.given)
        if len(self.answers) > 1:
            columns |= {f"{PROBABILITY}:{answer.name}": answer.probability for answer in self.answers}
        return columns


def _write_answer(group: h5py.Group, answer: Answer) -> None:
    for name in (FRAME, *_ANSWER, "features", "class_probability", DISTANCE_FROM_TRAINING):
        values = getattr(answer, name)
        if values is not None:
            group[name] = values
    if answer.usual_distance is not None:
        group.attrs["usual_distance"] = answer.usual_distance
