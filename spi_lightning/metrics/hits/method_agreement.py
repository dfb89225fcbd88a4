"""Where methods differ: paired tests, agreement, and the frames that several of them take."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

Decisions = NDArray[np.int64]


@dataclass(frozen=True)
class McNemar:
    """Two methods on the same frames.

    Attributes:
        only_first: Frames that the first alone decides rightly.
        only_second: Frames that the second alone decides rightly.
        p_value: Probability of so uneven a split, or a worse one, if neither were better; 1 without a difference.
    """

    only_first: int
    only_second: int
    p_value: float


def mcnemar(first: Decisions, second: Decisions, label: Decisions) -> McNemar:
    """Exact two-sided McNemar test of two decisions against the label, (N,) each.

    Source: McNemar (1947); with the binomial distribution instead of chi-squared, as few frames need.
    """
    one, other = first == label, second == label
    only_first, only_second = int((one & ~other).sum()), int((other & ~one).sum())
    differ = only_first + only_second
    return McNemar(only_first, only_second, float(binomtest(only_first, differ, 0.5).pvalue) if differ else 1.0)


def agreement_matrix(decisions: Sequence[Decisions]) -> NDArray[np.float64]:
    """Share of frames on which each pair of methods decides alike, (M, M), from M decisions (N,)."""
    stacked = np.stack(decisions)
    return np.array([(stacked == row).mean(axis=1) for row in stacked])


def intersections(decisions: Sequence[Decisions]) -> list[tuple[tuple[int, ...], NDArray[np.int64]]]:
    """Frames by exactly which methods take them as single hits, largest group first; frames nobody takes are left out.

    Args:
        decisions: M decisions (N,), 1 where taken.

    Returns:
        Indices of the methods, and the frames (n,) that these and no others take: the bars of an UpSet plot (Lex et
        al. 2014).
    """
    stacked = np.stack(decisions) == 1
    patterns, group = np.unique(stacked, axis=1, return_inverse=True)
    groups = [
        (tuple(np.flatnonzero(patterns[:, column]).tolist()), np.flatnonzero(group.ravel() == column))
        for column in range(patterns.shape[1])
        if patterns[:, column].any()
    ]
    return sorted(groups, key=lambda item: (-len(item[1]), item[0]))


def common_set(decisions: Sequence[Decisions]) -> NDArray[np.int64]:
    """Frames (n,) that every method takes as single hits: the fourth data set of Shi et al. (2019)."""
    return np.flatnonzero((np.stack(decisions) == 1).all(axis=0))
