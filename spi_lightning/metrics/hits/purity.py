"""Thresholds at a given purity, best thresholds, and the trade-off of risk and coverage."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
        probability: (N,) probabilities of a single hit.
        label: (N,) labels, 1 or 0.
        purity: Least precision, 0 to 1.
    """
    order = np.argsort(-probability, kind="stable")
    ranked, right = probability[order], np.cumsum(label[order] == 1)
    taken = np.arange(1, len(label) + 1)
    last_of_ties = np.append(ranked[1:] < ranked[:-1], True)
    good = np.flatnonzero(last_of_ties & (right >= purity * taken))
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
        probability: (N,) probabilities of a single hit, 0 to 1.
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
    right = below + above
    best = np.flatnonzero(right == right.max())
    widest = best[gap[best].argmax()]
    return BestThreshold(float((edges[widest] + edges[widest + 1]) / 2), float(right.max() / len(label)))


def risk_and_coverage(probability: Floats, label: NDArray[np.int64], threshold: float) -> tuple[Floats, Floats]:
    """Risk-coverage curve: share of wrong decisions among the most confident frames.

    Args:
        probability: (N,) probabilities of a single hit.
        label: (N,) labels, 1 or 0.
        threshold: Threshold of the decision; confidence is the distance from it, relative to the largest on that side.

    Returns:
        (N,) coverage, 1 / N to 1, and (N,) risk. Source: Geifman & El-Yaniv (2017), Sect. 2, arXiv 1705.08500.
    """
    taken = probability >= threshold
    sure = np.where(taken, (probability - threshold) / (1 - threshold), (threshold - probability) / threshold)
    order = np.argsort(-sure, kind="stable")
    wrong = np.cumsum(taken[order] != (label[order] == 1))
    count = np.arange(1, len(label) + 1)
    return count / len(label), wrong / count
