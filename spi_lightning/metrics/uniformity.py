"""Uniformity of orientations: tests of viewing directions against equal probability of all orientations.

Each pattern counts once, spread over its most probable orientations. Expected is not an even coverage but the weight of
the sampled orientations, so that an uneven list of them has no effect. Two statistics:

1. The score test of the lowest spherical harmonics f that the symmetry of the body permits: N (m - e)^T C^-1 (m - e),
   with m the patterns' mean of f, e and C its mean and covariance over the sampled orientations. Without symmetry f are
   degrees 1 and 2 (Rayleigh's and Bingham's tests together, 8 degrees of freedom), for an icosahedron its three lowest
   invariants, of degrees 6, 10 and 12. It detects belts first.
2. Pearson's chi-square over parts of the sphere (of the asymmetric unit) of equal weight: clumps of any shape.

Both are conservative where the probability of a pattern is spread over many orientations. Both assume independent
patterns without bias, which holds only roughly for a reconstruction: a few hundred patterns of a uniform set can fail
them, since patterns attract each other to the same views. A control, a simulated uniform set after the same
reconstruction, replaces the expected counts, with its own scatter. Without a symmetry the two frames differ, so that a
control needs one.

Source: Mardia & Jupp (2000), Directional Statistics, Sects. 10.4 and 10.8; the corrected mean and covariance and the
invariants of the group are not in the paper.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.special import eval_legendre
from scipy.stats import chi2

from spi_lightning.errors import UserError
from spi_lightning.physics.rotations.orientations import fold_directions, viewing_directions

Array = NDArray[np.float64]
_PER_PART = 10  # patterns expected in each part of the sphere, at least
_MOST_PARTS = 48


@dataclass(frozen=True)
class Control:
    """Control: result of the same reconstruction on patterns of uniform orientations.

    Attributes:
        quaternion: (C, 4) sampled orientations in the frame of the symmetric body.
        probability: (C,) probabilities P_r, whose sum is the number of patterns.
    """

    quaternion: Array
    probability: Array


@dataclass(frozen=True)
class Uniformity:
    """Result of two tests of the hypothesis that all orientations are equally probable.

    Attributes:
        patterns: Number of patterns counted, N.
        harmonics, harmonics_freedom, harmonics_p: Score test of the lowest spherical harmonics, its degrees of freedom
            and its p-value.
        chi_square, chi_square_freedom, chi_square_p: Chi-square over equal parts of the sphere, its degrees of freedom
            and its p-value.
        p_value: Combined p-value, twice the smaller one (Bonferroni), at most 1.
        variation: Standard deviation of the density of orientations from part to part of the sphere relative to its
            mean, without counting noise.
        part: (R,) int64 part of the sphere in which each sampled orientation lies.
        density: (parts,) patterns in each part over those expected.
    """

    patterns: int
    harmonics: float
    harmonics_freedom: int
    harmonics_p: float
    chi_square: float
    chi_square_freedom: int
    chi_square_p: float
    p_value: float
    variation: float
    part: NDArray[np.int64]
    density: Array


def uniformity(
    quaternion: Array,
    weight: Array,
    index: NDArray[np.int64],
    probability: Array,
    symmetry: str = "none",
    control: Control | None = None,
) -> Uniformity:
    """Test whether all orientations were equally probable, by the directions of the beam through the particles.

    Args:
        quaternion: (R, 4) sampled orientations, body to laboratory.
        weight: (R,) share of all rotations that each orientation represents.
        index: (N, k) int64 index of the most probable orientations of each pattern, -1 for none.
        probability: (N, k) probabilities of these orientations.
        symmetry: Symmetry of the body, "none" or "icosahedral"; equivalent orientations count as one.
        control: Simulated uniform set, whose counts replace the expected ones; None: expect the weights.

    Raises:
        UserError: The symmetry is unknown, there are fewer than 20 patterns, all orientations have one direction, or a
            control comes without a symmetry.
    """
    held = spread(index, probability)
    count = len(held.patterns)
    if count < 2 * _PER_PART:
        raise UserError(f"{count} patterns have an orientation; {2 * _PER_PART} or more are needed to test uniformity")
    if control is not None and symmetry == "none":
        raise UserError("a control needs symmetry=icosahedral: without a symmetry its frame is another")
    direction = viewing_directions(torch.from_numpy(quaternion))
    folded = fold_directions(direction, symmetry).numpy()
    score, freedom = _score(lowest_harmonics(direction.numpy(), symmetry), weight, held, control, symmetry)
    part = equal_parts(folded, weight, min(_MOST_PARTS, count // _PER_PART))
    observed, expected, ratio = _counts(folded, weight, part, held, control, symmetry)
    square = float(((observed - expected) ** 2 / (expected + ratio * observed)).sum())
    parts_freedom = len(expected) - 1
    harmonics_p, chi_square_p = float(chi2.sf(score, freedom)), float(chi2.sf(square, parts_freedom))
    return Uniformity(
        patterns=count,
        harmonics=score,
        harmonics_freedom=freedom,
        harmonics_p=harmonics_p,
        chi_square=square,
        chi_square_freedom=parts_freedom,
        chi_square_p=chi_square_p,
        p_value=min(1.0, 2 * min(harmonics_p, chi_square_p)),
        variation=float(np.sqrt(max(0.0, square - parts_freedom) * (1 + ratio) / count)),
        part=part,
        density=observed / expected,
    )


@dataclass(frozen=True)
class Spread:
    """Patterns spread over orientations: row i assigns ``share`` of pattern ``pattern`` to orientation ``index``.

    Attributes:
        patterns: (N,) int64 index of the patterns that have an orientation.
        pattern: (n,) int64 position among these patterns, from 0.
        index: (n,) int64 index of the orientation.
        share: (n,) shares, whose sum over each pattern is 1.
    """

    patterns: NDArray[np.int64]
    pattern: NDArray[np.int64]
    index: NDArray[np.int64]
    share: Array


def spread(index: NDArray[np.int64], probability: Array) -> Spread:
    """Spread of patterns over their (N, k) most probable orientations, the probability of each scaled to 1."""
    share = np.where(index >= 0, probability, 0.0)
    total = share.sum(axis=1)
    patterns = np.flatnonzero(total > 0)
    share = share[patterns] / total[patterns, None]
    row, column = np.nonzero(share)
    return Spread(patterns, row, index[patterns][row, column], share[row, column])


def lowest_harmonics(direction: Array, symmetry: str) -> Array:
    """Lowest spherical harmonics that a symmetry permits, (R, 3) unit vectors -> (R, f), of variance 1 on the sphere.

    An icosahedron's invariant of degree l is the sum of P_l(u . a) over its fivefold axes a, not 0 for l = 6, 10, 12.
    """
    if symmetry == "none":
        z, y, x = direction.T
        second = [x * y, y * z, z * x, (x**2 - y**2) / 2, (3 * z**2 - 1) / np.sqrt(12)]
        return np.stack([*(np.sqrt(3) * direction.T), *(np.sqrt(15) * f for f in second)], axis=1)
    golden = (1 + np.sqrt(5)) / 2
    axes = np.array([np.roll([0, sign, golden], turn) for turn in range(3) for sign in (1, -1)])
    axes /= np.sqrt(1 + golden**2)
    invariants = []
    for degree in (6, 10, 12):
        norm = eval_legendre(degree, axes @ axes.T).sum() / (2 * degree + 1)
        invariants.append(eval_legendre(degree, direction @ axes.T).sum(axis=1) / np.sqrt(norm))
    return np.stack(invariants, axis=1)


def _counts(
    folded: Array, weight: Array, part: NDArray[np.int64], held: Spread, control: Control | None, symmetry: str
) -> tuple[Array, Array, float]:
    """Observed and expected patterns in each part (parts,), and the ratio of patterns to those of the control or 0."""
    count = len(held.patterns)
    expected = np.asarray(count * np.bincount(part, weight), dtype=np.float64)
    counted = np.bincount(part[held.index], held.share, minlength=len(expected))
    observed = np.asarray(counted, dtype=np.float64)
    if control is None:
        return observed, expected, 0.0
    ratio = count / float(control.probability.sum())  # its counts scatter too: variance of observed - ratio * theirs
    return observed, np.maximum(ratio * _in_parts(control, folded, part, symmetry), 0.5), ratio


def _in_parts(control: Control, folded: Array, part: NDArray[np.int64], symmetry: str) -> Array:
    """Patterns of the control in each part: each of its orientations counts in the part of the nearest sampled one."""
    theirs = fold_directions(viewing_directions(torch.from_numpy(control.quaternion)), symmetry).numpy()
    counts = np.bincount(part[cKDTree(folded).query(theirs)[1]], control.probability, int(part.max()) + 1)
    return counts.astype(np.float64)


def _score(features: Array, weight: Array, held: Spread, control: Control | None, symmetry: str) -> tuple[float, int]:
    """Score statistic and the number of features that vary at all over what is expected."""
    mean = (held.share[:, None] * features[held.index]).sum(axis=0) / len(held.patterns)
    trials = float(len(held.patterns))
    if control is not None:
        direction = viewing_directions(torch.from_numpy(control.quaternion)).numpy()
        others = float(control.probability.sum())
        features, weight = lowest_harmonics(direction, symmetry), control.probability / others
        trials = 1 / (1 / trials + 1 / others)
    expected = weight @ features
    values, vectors = np.linalg.eigh(((features - expected) * weight[:, None]).T @ (features - expected))
    varies = values > 1e-6
    if not varies.any():
        raise UserError("all sampled orientations have the same direction, so there is nothing to test")
    along = (mean - expected) @ vectors[:, varies]
    return float(trials * (along**2 / values[varies]).sum()), int(varies.sum())


def equal_parts(direction: Array, weight: Array, parts: int) -> NDArray[np.int64]:
    """Partition directions into compact parts of nearly equal weight, by halving along the axis of largest spread.

    Args:
        direction: (R, 3) unit vectors.
        weight: (R,) positive weights of the directions.
        parts: Number of parts, at least 2; fewer result if there are fewer different directions.

    Returns:
        (R,) int64 part of each direction, from 0.
    """
    part = np.zeros(len(direction), dtype=np.int64)
    pending = [(np.arange(len(direction)), max(2, parts))]
    made = 0
    while pending:
        members, wanted = pending.pop()
        cut = _cut(direction[members], weight[members], (wanted // 2) / wanted) if wanted > 1 else None
        if cut is None:
            part[members] = made
            made += 1
            continue
        pending += [(members[cut], wanted // 2), (members[~cut], wanted - wanted // 2)]
    return part


def _cut(direction: Array, weight: Array, share: float) -> NDArray[np.bool_] | None:
    """Mask (R,) of the lower side, about ``share`` of the weight; None where all have one direction."""
    rounded = direction.round(9)
    centred = rounded - np.average(rounded, axis=0, weights=weight)
    if not np.ptp(rounded, axis=0).any():
        return None
    axis = np.linalg.svd(centred * np.sqrt(weight)[:, None], full_matrices=False)[2][0]
    along = (centred @ (axis * np.sign(axis[np.abs(axis).argmax()]))).round(9)
    _, inverse = np.unique(along, return_inverse=True)
    reached = np.cumsum(np.bincount(inverse, weight)) / weight.sum()
    best = int(np.abs(reached[:-1] - share).argmin())
    return np.asarray(inverse <= best)
