"""Score answers against labels: the numbers of metrics.json."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spi_lightning.metrics.hits.bootstrap import bootstrap_intervals, exact_where_perfect, interval_numbers
from spi_lightning.metrics.hits.classification_curves import classification_statistic, confusion
from spi_lightning.metrics.hits.hit_metrics import HitNumber, extra_numbers
from spi_lightning.results.hits import DecidedAnswer

Numbers = dict[str, float | int | None]


@dataclass(frozen=True)
class Scoring:
    """Numbers of answers against labels.

    Args:
        label: (N,) is_single_hit: 1, 0, or -1 where unknown, which is left out.
        excluded: Frames left out of the second column of numbers, ``test_kept/...``, e.g. doubtful labels.
        replicates: Bootstrap replicates of the 95 % intervals.
        seed: Seed of the bootstrap.
        extra: Further numbers by their names, without intervals.
    """

    label: NDArray[np.int64]
    excluded: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    replicates: int = 1000
    seed: int = 0
    extra: Mapping[str, HitNumber] = field(default_factory=dict)

    def __call__(self, answer: DecidedAnswer) -> Numbers:
        """Numbers of one answer: ``test/accuracy``, its interval ``test/accuracy/low`` and ``/high``, and so on.

        Where all replicates are alike, the bootstrap gives no interval: a share (accuracy, recall, precision,
        false-positive rate) of 0 or 1, and the accuracy where all frames are decided alike, have Wilson's, and an area
        under the ROC curve of 0 or 1 has that of exact_where_perfect. None stands for what is undefined, such as an
        area under the ROC curve of frames of one class.
        """
        known = self.label >= 0
        numbers = self._numbers("test", answer, known)
        if len(self.excluded):
            kept = known & ~np.isin(np.arange(len(known)), self.excluded)
            numbers |= self._numbers("test_kept", answer, kept)
        return numbers

    def _numbers(self, stage: str, answer: DecidedAnswer, use: NDArray[np.bool_]) -> Numbers:
        label, decided = self.label[use], ~answer.abstain[use]
        counts = confusion(answer.decision[use], label)
        numbers: Numbers = {f"{stage}/frames": int(use.sum()), f"{stage}/single_hits": int((label == 1).sum())}
        names = ("true_negatives", "false_positives", "false_negatives", "true_positives")
        numbers |= {f"{stage}/{name}": int(count) for name, count in zip(names, counts.ravel(), strict=True)}
        if not use.any():
            return numbers
        right = answer.decision[use] == label
        numbers[f"{stage}/abstained"] = float(1 - decided.mean())
        numbers[f"{stage}/accuracy_where_decided"] = float(right[decided].mean()) if decided.any() else None
        ranking, probability = answer.ranking[use], answer.probability[use].astype(np.float64)
        for name, value in extra_numbers(self.extra, ranking, label).items():
            numbers[f"{stage}/{name}"] = value if np.isfinite(value) else None
        statistic = classification_statistic(ranking, label, answer.decision[use], probability)
        estimates = bootstrap_intervals(statistic, label, self.replicates, self.seed)
        (rejected, mistaken), (missed, found) = counts.tolist()
        estimates["auroc"] = exact_where_perfect(estimates["auroc"], min(missed + found, rejected + mistaken))
        shares = {
            "accuracy": len(label),
            "recall": missed + found,
            "precision": mistaken + found,
            "false_positive_rate": rejected + mistaken,
        }
        return numbers | interval_numbers(estimates, shares, stage)


def spread(numbers: Sequence[Mapping[str, Any]]) -> Numbers:
    """Mean and sample standard deviation over methods, e.g. seeds, of every number they all have."""
    spreads: Numbers = {}
    for name in numbers[0]:
        values = [float(each[name]) for each in numbers if each.get(name) is not None]
        counts = name.endswith(("/frames", "/single_hits"))
        if counts or name.count("/") > 1 or len(values) < len(numbers):
            continue
        spreads[f"{name}/mean"] = float(np.mean(values))
        spreads[f"{name}/std"] = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return spreads
