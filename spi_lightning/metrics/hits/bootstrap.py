"""Confidence intervals: percentile bootstrap over frames within strata; of shares, and of a perfect ranking."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Statistic = Callable[[Array], dict[str, Array]]

_DRAWS_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class Estimate:
    """Value from all frames and the ends of its confidence interval.

    All three are None where the value is undefined; the ends alone are None where all replicates are equal.
    """

    value: float | None
    low: float | None
    high: float | None


def stratified_weights(
    stratum: NDArray[np.int64], replicates: int, seed: int = 0, rows: int | None = None
) -> Iterator[Array]:
    """Bootstrap weights: how often each frame appears in each replicate, at fixed size of every stratum.

    Args:
        stratum: (N,) stratum of each frame, here the label; frames are resampled within their stratum.
        replicates: Number of bootstrap replicates, R.
        seed: Seed of the draw; the weights do not depend on ``rows``.
        rows: Replicates drawn at once; None keeps the memory near 32 MB.

    Yields:
        (r, N) weights, whole numbers, for the next r of the R replicates.

    Source: Efron & Tibshirani (1993), An Introduction to the Bootstrap, Sect. 8.4.
    """
    members = [np.flatnonzero(stratum == value) for value in np.unique(stratum)]
    generators = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(len(members))]
    rows = rows or max(1, _DRAWS_AT_ONCE // max(1, len(stratum)))
    for start in range(0, replicates, rows):
        count = min(rows, replicates - start)
        weight = np.zeros((count, len(stratum)))
        for member, generator in zip(members, generators, strict=True):
            drawn = generator.integers(len(member), size=(count, len(member)))
            drawn += len(member) * np.arange(count)[:, None]
            weight[:, member] = np.bincount(drawn.ravel(), minlength=drawn.size).reshape(drawn.shape)
        yield weight


def bootstrap_replicates(
    statistic: Statistic, stratum: NDArray[np.int64], replicates: int = 1000, seed: int = 0
) -> dict[str, Array]:
    """Evaluate a weighted statistic on every replicate: name -> (R, ...)."""
    parts = [statistic(weight) for weight in stratified_weights(stratum, replicates, seed)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def bootstrap_intervals(
    statistic: Statistic, stratum: NDArray[np.int64], replicates: int = 1000, seed: int = 0, level: float = 0.95
) -> dict[str, Estimate]:
    """Value and stratified percentile bootstrap interval of every number a statistic returns.

    Args:
        statistic: Maps weights (R, N) to name -> (R,); NaN marks a number that is undefined for these frames.
        stratum: (N,) labels within which frames are drawn.
        replicates: Number of bootstrap replicates, R.
        seed: Seed of the bootstrap draw.
        level: Probability covered by the interval; its ends are the (1 ± level) / 2 quantiles.

    Returns:
        One Estimate per number, by name.
    """
    values = statistic(np.ones((1, len(stratum))))
    drawn = bootstrap_replicates(statistic, stratum, replicates, seed)
    ends = [(1 - level) / 2, (1 + level) / 2]
    return {name: _estimate(values[name][0], drawn[name], ends) for name in values}


def mean_intervals(
    values: Mapping[str, Array], group: NDArray[np.int64], replicates: int = 1000, seed: int = 0
) -> dict[str, Estimate]:
    """Means over patterns with bootstrap intervals, for which whole groups of patterns are drawn.

    Args:
        values: Numbers of each pattern, (N,), by name.
        group: (N,) group of each pattern, numbered from 0 without gaps: its structure, or the pattern itself.
        replicates: Number of bootstrap replicates.
        seed: Seed of the bootstrap draw.
    """
    sums = {name: np.bincount(group, weights=column) for name, column in values.items()}
    count = np.bincount(group).astype(np.float64)

    def statistic(weight: Array) -> dict[str, Array]:
        return {name: weight @ total / (weight @ count) for name, total in sums.items()}

    return bootstrap_intervals(statistic, np.zeros(len(count), dtype=np.int64), replicates, seed)


def _estimate(value: np.float64, drawn: Array, ends: list[float]) -> Estimate:
    if not np.isfinite(value):
        return Estimate(None, None, None)
    low, high = np.nanquantile(drawn, ends)
    if low == high:  # equal replicates do not determine an interval
        return Estimate(float(value), None, None)
    return Estimate(float(value), float(low), float(high))


def interval_numbers(
    estimates: Mapping[str, Estimate], shares: Mapping[str, int], prefix: str = "test"
) -> dict[str, float | None]:
    """Estimates as numbers ``test/accuracy``, ``test/accuracy/low`` and ``test/accuracy/high``.

    Args:
        estimates: Estimates from bootstrap_intervals by the names of the numbers.
        shares: Number of frames of which each estimate is a share, by name; where all replicates are alike, as
            of a share of 0 or 1, the bootstrap gives no interval, and Wilson's stands there.
        prefix: First part of the names.
    """
    numbers: dict[str, float | None] = {}
    for name, each in estimates.items():
        low, high = each.low, each.high
        if name in shares and each.value is not None and low is None:
            low, high = (float(end) for end in wilson(np.array(each.value), np.array(float(shares[name]))))
        numbers |= {f"{prefix}/{name}": each.value, f"{prefix}/{name}/low": low, f"{prefix}/{name}/high": high}
    return numbers


def wilson(share: Array, frames: Array) -> tuple[Array, Array]:
    """95 % interval of a share of some frames, inside [0, 1], of nonzero width also where the share is 0 or 1.

    Args:
        share: (...) shares, 0 to 1.
        frames: (...) numbers of frames, above 0.

    Source: Wilson (1927), Eq. 6, doi:10.1080/01621459.1927.10502953.
    """
    z = 1.959964
    centre = (share + z**2 / (2 * frames)) / (1 + z**2 / frames)
    half = z / (1 + z**2 / frames) * np.sqrt(share * (1 - share) / frames + z**2 / (4 * frames**2))
    low, high = np.clip(centre - half, 0, 1), np.clip(centre + half, 0, 1)
    return np.where(share == 0, 0.0, low), np.where(share == 1, 1.0, high)  # to the last bit


def exact_where_perfect(area: Estimate, pairs: int, level: float = 0.95) -> Estimate:
    """Area under the ROC curve, with the exact interval where it is 0 or 1 and the bootstrap has none.

    The area A is the probability that a single hit ranks above another frame. All of ``pairs`` disjoint pairs do so
    with probability A^pairs, and the interval holds every A for which that is not below (1 - level) / 2.

    Args:
        area: Area with the interval of the bootstrap.
        pairs: Number of frames of the smaller class.
        level: Probability covered by the interval.

    Source: Clopper & Pearson (1934), doi:10.1093/biomet/26.4.404, for a share of 1.
    """
    if area.value not in (0.0, 1.0):
        return area
    least = float(((1 - level) / 2) ** (1 / pairs))
    return Estimate(1.0, least, 1.0) if area.value else Estimate(0.0, 0.0, 1 - least)
