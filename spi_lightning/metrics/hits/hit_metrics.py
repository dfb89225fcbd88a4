"""Metrics of single-hit classification over all patterns of all processes, however they were batched."""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from .classification_curves import classification_statistic, confusion

HitNumber = Callable[[Tensor, Tensor], Tensor | float]
"""Probabilities (n,) float64 of a single hit, 0 where undecided, and labels (n,) int64, 1 or 0 -> one number."""


class HitMetrics(Metric):
    """Metrics of a single-hit decision; patterns with is_single_hit = -1 are left out.

    ``compute`` returns a dict: accuracy, auroc, average_precision, false_positive_rate, recall, precision,
    fpr_at_90_recall, calibration_error (scalars), frames, and confusion (2, 2) with the labels as rows; a number that
    these labels leave undefined (one class only) is left out, and ``missing`` names it. If updates include a kind, also
    kind_accuracy and kind_confusion (classes, classes).

    All values are kept and sorted before they are added up, so that batches and processes do not change a bit.

    Args:
        threshold: Least probability of a pattern that is classified as a single hit.
        extra: Further numbers by their names, which ``compute`` and evaluations give as well.
    """

    probability: list[Tensor]
    is_single_hit: list[Tensor]
    predicted_kind: list[Tensor]
    kind: list[Tensor]
    full_state_update = False

    def __init__(self, threshold: float = 0.5, extra: Mapping[str, HitNumber] | None = None) -> None:
        super().__init__()
        self.threshold, self.extra = threshold, dict(extra or {})
        for name in ("probability", "is_single_hit", "predicted_kind", "kind"):
            self.add_state(name, [], dist_reduce_fx="cat")
        self.missing: list[str] = []

    def update(
        self,
        probability: Tensor,
        is_single_hit: Tensor,
        predicted_kind: Tensor | None = None,
        kind: Tensor | None = None,
    ) -> None:
        """Add patterns.

        Args:
            probability: (B,) probabilities of a single hit.
            is_single_hit: (B,) int64 labels: 1, 0, or -1 where unknown.
            predicted_kind: (B,) int64 kinds predicted by a classifier of kinds.
            kind: (B,) int64 true kinds, -1 where unknown.
        """
        self.probability.append(probability.detach())
        self.is_single_hit.append(is_single_hit)
        if predicted_kind is not None and kind is not None:
            self.predicted_kind.append(predicted_kind)
            self.kind.append(kind)

    def compute(self) -> dict[str, Tensor]:
        """Metrics of all patterns so far, by name."""
        numbers = self._single_numbers()
        if len(self.kind):
            numbers |= kind_numbers(dim_zero_cat(self.predicted_kind), dim_zero_cat(self.kind))
        return numbers

    def _single_numbers(self) -> dict[str, Tensor]:
        label = dim_zero_cat(self.is_single_hit).cpu().numpy()
        probability = dim_zero_cat(self.probability).double().cpu().numpy()[label >= 0]
        label = label[label >= 0]
        numbers = {"frames": torch.tensor(len(label))}
        if len(label) == 0:
            self.missing = ["accuracy", "auroc", "average_precision", "false_positive_rate", "calibration_error"]
            return numbers
        order = np.lexsort((label, probability))
        probability, label = probability[order], label[order]
        decision = (probability >= self.threshold).astype(np.int64)
        statistic = classification_statistic(probability, label, decision)
        values = {name: float(row[0]) for name, row in statistic(np.ones((1, len(label)))).items()}
        values |= extra_numbers(self.extra, probability, label)
        undefined = {name for name, value in values.items() if not np.isfinite(value)}
        numbers |= {name: torch.tensor(value) for name, value in values.items() if name not in undefined}
        self.missing = sorted(undefined - {"precision"})  # undefined by decisions, not labels: no pattern was selected
        return numbers | {"confusion": torch.from_numpy(confusion(decision, label))}


def extra_numbers(
    extra: Mapping[str, HitNumber], probability: NDArray[np.float64], label: NDArray[np.int64]
) -> dict[str, float]:
    """Value of every further number, of probabilities (n,) and labels (n,); NaN where one is undefined."""
    return {
        name: float(number(torch.from_numpy(probability), torch.from_numpy(label))) for name, number in extra.items()
    }


def kind_numbers(predicted: Tensor, kind: Tensor, classes: int = 5) -> dict[str, Tensor]:
    """Accuracy () and confusion (classes, classes) int64, true kinds as rows, of the patterns of known kind.

    Source: the five classes of Han & Li (2017), Sect. 3.
    """
    predicted, kind = predicted[kind >= 0].cpu(), kind[kind >= 0].cpu()
    if len(kind) == 0:
        return {}
    counts = torch.bincount(classes * kind + predicted, minlength=classes**2).reshape(classes, classes)
    return {"kind_accuracy": counts.diagonal().sum() / counts.sum(), "kind_confusion": counts}
