"""Agreement of methods: paired tests, share of equal decisions, and intersections of their selections."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

Decisions = NDArray[np.int64]


@dataclass(frozen=True)
class McNemar:
    """McNemar test of two methods on the same frames.

    Attributes:
        only_first: Number of frames that the first method alone classifies correctly.
        only_second: Number of frames that the second method alone classifies correctly.
        p_value: Probability of a split at least as uneven for equally good methods; 1 without a difference.
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
    """Agreement matrix (M, M): share of frames on which two methods decide alike, from M decisions (N,)."""
    stacked = np.stack(decisions)
    return np.array([(stacked == row).mean(axis=1) for row in stacked])


def intersections(decisions: Sequence[Decisions]) -> list[tuple[tuple[int, ...], NDArray[np.int64]]]:
    """Groups of frames by the set of methods that select them as single hits, largest first; unselected ones left out.

    Args:
        decisions: M decisions (N,), 1 where selected.

    Returns:
        Indices of the methods, and the frames (n,) that these and no others select: the bars of an UpSet plot (Lex et
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
    """Frames (n,) that every method selects as single hits: the fourth data set of Shi et al. (2019)."""
    return np.flatnonzero((np.stack(decisions) == 1).all(axis=0))
