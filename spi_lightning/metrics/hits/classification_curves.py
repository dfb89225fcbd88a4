"""Curves of a classification, thresholds at a given purity, best thresholds, and the trade-off of risk and coverage."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .bootstrap import Array, Statistic, bootstrap_replicates

CALIBRATION_BINS = 15


@dataclass(frozen=True)
class ThresholdCurves:
    """ROC and precision-recall curves over all K distinct probabilities as thresholds, from "no frame selected" on.

    A rate of a class without frames is NaN; the precision before any frame is selected is 1.

    Attributes:
        threshold: (K + 1,) falling thresholds, the first infinite.
        false_positive_rate, recall, precision: (R, K + 1) rates at these thresholds.
    """

    threshold: Array
    false_positive_rate: Array
    recall: Array
    precision: Array


@dataclass(frozen=True)
class Reliability:
    """Reliability per probability bin (bins,): mean probability, fraction of single hits, frames; NaN where empty."""

    edges: Array
    probability: Array
    fraction: Array
    frames: Array


class ThresholdRanking:
    """Frames sorted by falling probability (N,), so that each weighting costs two cumulative sums."""

    def __init__(self, probability: Array, label: NDArray[np.int64]) -> None:
        self.order = np.argsort(-probability, kind="stable")
        ranked = probability[self.order]
        self.last = np.flatnonzero(np.append(np.diff(ranked) != 0, True))  # equal probabilities share one threshold
        self.threshold = np.append(np.inf, ranked[self.last])
        self.positive = (label[self.order] == 1).astype(np.float64)

    def curves(self, weight: Array) -> ThresholdCurves:
        """Curves of each weighting of the frames, weight (R, N)."""
        ranked = weight[:, self.order]
        true = self._taken(ranked * self.positive)
        false = self._taken(ranked * (1 - self.positive))
        with np.errstate(invalid="ignore"):
            recall, false_positive_rate = true / true[:, -1:], false / false[:, -1:]
            precision = np.where(true + false > 0, true / (true + false), 1.0)
        return ThresholdCurves(self.threshold, false_positive_rate, recall, precision)

    def _taken(self, weight: Array) -> Array:
        return np.pad(np.cumsum(weight, axis=1)[:, self.last], ((0, 0), (1, 0)))


def area_under_roc(curves: ThresholdCurves) -> Array:
    """Area under the ROC curve, (R,), by the trapezoid rule; ties count one half."""
    height = (curves.recall[:, 1:] + curves.recall[:, :-1]) / 2
    return _sum(np.diff(curves.false_positive_rate, axis=1) * height)


def average_precision(curves: ThresholdCurves) -> Array:
    """Average precision, (R,), over steps in recall, without interpolation: sum_k (r_k - r_(k-1)) p_k."""
    return _sum(np.diff(curves.recall, axis=1) * curves.precision[:, 1:])


def false_positive_rate_at_recall(curves: ThresholdCurves, recall: float = 0.9) -> Array:
    """Smallest false-positive rate at which the recall is reached, (R,); NaN without single hits."""
    reached = curves.recall >= recall - 1e-9
    found = np.take_along_axis(curves.false_positive_rate, reached.argmax(axis=1)[:, None], axis=1)[:, 0]
    return np.where(reached.any(axis=1), found, np.nan)


def reliability(probability: Array, label: NDArray[np.int64], bins: int = CALIBRATION_BINS) -> Reliability:
    """Reliability of probabilities (N,) against labels (N,) in equal bins of probability, closed on the right."""
    index, edges = _bin(probability, bins), np.linspace(0, 1, bins + 1)
    frames = np.bincount(index, minlength=bins).astype(np.float64)
    with np.errstate(invalid="ignore"):
        stated = np.bincount(index, probability, bins) / frames
        fraction = np.bincount(index, label == 1, bins) / frames
    return Reliability(edges, stated, fraction, frames)


def confusion(decision: NDArray[np.int64], label: NDArray[np.int64]) -> NDArray[np.int64]:
    """Confusion matrix (2, 2) of (N,) decisions; rows are the labels 0, 1 and columns the decisions 0, 1."""
    return np.bincount(2 * label + decision, minlength=4).reshape(2, 2)


def classification_statistic(
    ranking: Array, label: NDArray[np.int64], decision: NDArray[np.int64], probability: Array | None = None
) -> Statistic:
    """Statistic of a two-class decision as a function of the weights of its frames, for the bootstrap.

    Args:
        ranking: (N,) value by which thresholds select frames: the probability of a single hit, 0 where undecided.
        label: (N,) labels, 0 or 1.
        decision: (N,) decisions by which frames are selected, 0 or 1.
        probability: (N,) probability of a single hit as stated, for the calibration error; None: the ranking.

    Returns:
        Function weight (R, N) -> accuracy, auroc, average_precision, false_positive_rate, recall, precision (these
        three of the decisions), fpr_at_90_recall and calibration_error, (R,) each, NaN where undefined.

    The calibration error is the expected calibration error: sum over CALIBRATION_BINS bins of the share of frames times
    |mean probability - fraction of single hits| (Guo et al. 2017, Eq. 3, for the probability of the positive class).
    """
    by_threshold, taken, single = ThresholdRanking(ranking, label), decision == 1, label == 1
    stated = ranking if probability is None else probability
    in_bin = np.eye(CALIBRATION_BINS)[_bin(stated, CALIBRATION_BINS)]
    error = in_bin * (stated - single)[:, None]

    def statistic(weight: Array) -> dict[str, Array]:
        curves, total = by_threshold.curves(weight), weight.sum(axis=1)
        both_classes = (weight @ single > 0) & (weight @ ~single > 0)
        with np.errstate(invalid="ignore"):
            numbers = {
                "accuracy": weight @ (taken == single) / total,
                "auroc": np.where(both_classes, area_under_roc(curves), np.nan),
                "average_precision": average_precision(curves),
                "false_positive_rate": weight @ (taken & ~single) / (weight @ ~single),
                "recall": weight @ (taken & single) / (weight @ single),
                "precision": weight @ (taken & single) / (weight @ taken),
                "fpr_at_90_recall": false_positive_rate_at_recall(curves),
                "calibration_error": np.abs(weight @ error).sum(axis=1) / total,
            }
        return {name: np.asarray(value, dtype=np.float64) for name, value in numbers.items()}

    return statistic


def curve_bands(
    probability: Array, label: NDArray[np.int64], replicates: int = 500, seed: int = 0, level: float = 0.95
) -> dict[str, Array]:
    """Pointwise bootstrap bands of the ROC and the precision-recall curve.

    Returns:
        ``grid`` (101,), the false-positive rate or the recall, and ``roc`` and ``precision_recall`` (2, 101), the
        lower and upper end of the recall and of the precision there.
    """
    grid, ranking = np.linspace(0, 1, 101), ThresholdRanking(probability, label)

    def statistic(weight: Array) -> dict[str, Array]:
        curves = ranking.curves(weight)
        roc = zip(curves.false_positive_rate, curves.recall, strict=True)
        precision_recall = zip(curves.recall, curves.precision, strict=True)
        return {
            "roc": np.stack([_recall_at(*rows, grid) for rows in roc]),
            "precision_recall": np.stack([_precision_at(*rows, grid) for rows in precision_recall]),
        }

    drawn = bootstrap_replicates(statistic, label, replicates, seed)
    ends = [(1 - level) / 2, (1 + level) / 2]
    return {"grid": grid, **{name: np.quantile(value, ends, axis=0) for name, value in drawn.items()}}


def _sum(rows: Array) -> Array:
    return np.asarray(rows.sum(axis=1), dtype=np.float64)


def _bin(probability: Array, bins: int) -> NDArray[np.intp]:
    edges = np.linspace(0, 1, bins + 1)
    return np.clip(np.searchsorted(edges, probability, side="left") - 1, 0, bins - 1)


def _recall_at(false_positive_rate: Array, recall: Array, grid: Array) -> Array:
    rising = false_positive_rate + 1e-12 * np.arange(len(recall))  # a vertical step is read at its upper end
    return np.interp(grid + 1e-6, rising, recall)


def _precision_at(recall: Array, precision: Array, grid: Array) -> Array:
    first = np.searchsorted(recall, np.maximum(grid, 1e-6) - 1e-9)
    return precision[np.clip(first, 1, len(recall) - 1)]


Floats = NDArray[np.float64]


@dataclass(frozen=True)
class AtPurity:
    """Threshold on the probability, with recall, false-positive rate and number of frames selected there."""

    threshold: float
    recall: float
    false_positive_rate: float
    frames: int


def at_purity(probability: Floats, label: NDArray[np.int64], purity: float) -> AtPurity | None:
    """Lowest threshold at which at least ``purity`` of the selected frames are single hits; None if there is none.

    Args:
        probability: (N,) probabilities of a single hit; no threshold selects a frame of 0.
        label: (N,) labels, 1 or 0.
        purity: Least precision, 0 to 1.
    """
    order = np.argsort(-probability, kind="stable")
    ranked, right = probability[order], np.cumsum(label[order] == 1)
    taken = np.arange(1, len(label) + 1)
    last_of_ties = np.append(ranked[1:] < ranked[:-1], True)
    good = np.flatnonzero(last_of_ties & (ranked > 0) & (right >= purity * taken))
    if len(good) == 0:
        return None
    end = good[-1]
    singles, others = max(int((label == 1).sum()), 1), max(int((label == 0).sum()), 1)
    wrong = taken[end] - right[end]
    return AtPurity(float(ranked[end]), float(right[end] / singles), float(wrong / others), int(taken[end]))


@dataclass(frozen=True)
class BestThreshold:
    """Threshold of the largest accuracy, and this accuracy."""

    threshold: float
    accuracy: float


def best_threshold(probability: Floats, label: NDArray[np.int64]) -> BestThreshold:
    """Best threshold by the labels themselves, of N + 1 choices, so that its accuracy is an upper bound.

    Args:
        probability: (N,) probabilities of a single hit, 0 to 1; no threshold selects a frame of 0.
        label: (N,) labels, 1 or 0.

    Returns:
        Threshold midway between the probabilities beside it, in the widest gap among equally good ones.
    """
    value, index = np.unique(probability, return_inverse=True)
    single = np.bincount(index, label == 1, len(value))
    other = np.bincount(index, label == 0, len(value))
    below = np.concatenate([[0.0], np.cumsum(other)])  # others rejected if the threshold lies before value[i]
    above = np.concatenate([np.cumsum(single[::-1])[::-1], [0.0]])
    edges = np.concatenate([[0.0], value, [1.0]])
    gap = np.diff(edges)
    right = np.where(gap > 0, below + above, -1.0)  # a threshold lies inside (0, 1)
    best = np.flatnonzero(right == right.max())
    widest = best[gap[best].argmax()]
    return BestThreshold(float((edges[widest] + edges[widest + 1]) / 2), float(right.max() / len(label)))


def risk_and_coverage(
    probability: Floats, label: NDArray[np.int64], threshold: float, undecided: NDArray[np.bool_] | None = None
) -> tuple[Floats, Floats]:
    """Risk-coverage curve: share of wrong decisions among the most confident frames.

    Args:
        probability: (N,) probabilities of a single hit.
        label: (N,) labels, 1 or 0.
        threshold: Threshold of the decision; confidence is the distance from it, relative to the largest on that side.
        undecided: (N,) frames that the method does not decide: not taken, and the least confident; None: none.

    Returns:
        (N,) coverage, 1 / N to 1, and (N,) risk. Source: Geifman & El-Yaniv (2017), Sect. 2, arXiv 1705.08500.
    """
    taken = probability >= threshold
    sure = np.where(taken, (probability - threshold) / (1 - threshold), (threshold - probability) / threshold)
    if undecided is not None:
        taken, sure = taken & ~undecided, np.where(undecided, -1.0, sure)
    order = np.argsort(-sure, kind="stable")
    wrong = np.cumsum(taken[order] != (label[order] == 1))
    count = np.arange(1, len(label) + 1)
    return count / len(label), wrong / count
