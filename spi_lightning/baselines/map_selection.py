"""Ways to select frames in a map: near labelled single hits, in a box, or in a polygon."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from sklearn.linear_model import LogisticRegression

from spi_lightning.errors import UserError

Floats = NDArray[np.floating[Any]]
Whole = NDArray[np.int64]


@dataclass(frozen=True)
class MapPoints:
    """Frames in a map.

    Attributes:
        coordinates: (n, m) coordinates of the map.
        part: (n,) connected part of the map, 0 the largest; coordinates of different parts cannot be compared.
    """

    coordinates: Floats
    part: Whole


@dataclass(frozen=True)
class LabelledPoints:
    """Labelled frames: points, labels (k,), and rows (k,) among the frames in question, -1 for another file's."""

    points: MapPoints
    is_single_hit: Whole
    row: Whole


class Select(Protocol):
    """Probability of a single hit (n,) from points; NaN where nothing can be said."""

    needs_labels: bool

    def __call__(self, points: MapPoints, labelled: LabelledPoints | None) -> Floats:
        """Probabilities of some frames."""
        ...


class ByDistance:
    """Frames near labelled single hits, as Shi et al. (2019) take those near the most ideal pattern.

    r is the mean distance to the ``nearest`` closest labelled single hits of the same part, a frame itself not counted.
    p = 1 / (1 + (r / r_c)^b) falls with r. With labelled frames of both kinds, r_c and b > 0 come from a logistic
    regression of the label on log r (both labels weighing alike, C = 1), each labelled frame measured from the others.
    Without others, or where those are nearer than the single hits themselves, b = 2 and r_c is the distance within
    which 90 % of the labelled single hits lie from each other.

    Source: Shi et al. (2019), S3, for selection by distance; the probability follows Platt (1999).
    """

    needs_labels = True

    def __init__(self, nearest: int = 2) -> None:
        if nearest < 1:
            raise UserError(f"select.nearest={nearest} must be 1 or more")
        self.nearest = nearest

    def __call__(self, points: MapPoints, labelled: LabelledPoints | None) -> Floats:
        """Probabilities (n,); NaN in parts without a labelled single hit (other than the frame itself).

        Raises:
            UserError: Fewer than two labelled single hits in one part of the map.
        """
        assert labelled is not None
        single = labelled.is_single_hit == 1
        known = MapPoints(labelled.points.coordinates[single], labelled.points.part[single])
        own = np.full(len(points.part), -1)
        own[labelled.row[single & (labelled.row >= 0)]] = np.flatnonzero(labelled.row[single] >= 0)
        itself = np.full(len(single), -1)
        itself[single] = np.arange(single.sum())
        r, r_labelled = self._distance(points, known, own), self._distance(labelled.points, known, itself)
        if not np.isfinite(r_labelled[single]).any():
            raise UserError("selection by distance needs two or more labelled single hits in one part of the map")
        floor = max(1e-6 * np.nanmedian(r_labelled), np.finfo(np.float64).tiny)
        steepness, cut = _calibrate(np.log(np.maximum(r_labelled, floor)), labelled.is_single_hit)
        probability: Floats = 1 / (1 + np.exp(steepness * (np.log(np.maximum(r, floor)) - cut)))
        return probability

    def _distance(self, points: MapPoints, known: MapPoints, own: Whole) -> Floats:
        """Mean distance (n,) to the nearest known points of the same part but the own one (n,); NaN without any."""
        distance = np.full(len(points.part), np.nan)
        for part in np.unique(known.part):
            member, here = np.flatnonzero(known.part == part), points.part == part
            nearby = points.coordinates[here]
            count = min(self.nearest + 1, len(member))
            apart, found = cKDTree(known.coordinates[member]).query(nearby, np.arange(1, count + 1))
            other = member[found] != own[here, None]
            rank = np.cumsum(other, axis=1)
            used = other & (rank <= self.nearest)
            with np.errstate(invalid="ignore"):
                distance[here] = np.where(used, apart, 0).sum(1) / used.sum(1)
        return distance


def _calibrate(logarithm: Floats, label: Whole) -> tuple[float, float]:
    """Steepness b and log r_c from log r (k,) of labelled frames, NaN where it is not defined."""
    known = np.isfinite(logarithm)
    if len(set(label[known].tolist())) == 2:
        fit = LogisticRegression(class_weight="balanced").fit(logarithm[known, None], label[known])
        slope = float(fit.coef_[0, 0])
        if slope < 0:
            return -slope, float(-fit.intercept_[0] / slope)
    return 2.0, float(np.quantile(logarithm[known & (label == 1)], 0.9))


class InBox:
    """Frames in a box of the first coordinates of the largest part; needs no labels.

    p = 1 / (1 + exp(-s / edge)), s the distance inside the nearest side, negative outside.

    Args:
        low, high: Sides for each coordinate Phi_1, Phi_2, ..., null where there is none.
        edge: Width over which the probability falls, in units of the coordinates (whose mean square is 1).
    """

    needs_labels = False

    def __init__(self, low: Sequence[float | None], high: Sequence[float | None], edge: float = 0.1) -> None:
        if len(low) != len(high) or not any(side is not None for side in (*low, *high)):
            raise UserError("select.low and select.high must name as many coordinates, and at least one side")
        if any(a is not None and b is not None and a >= b for a, b in zip(low, high, strict=True)):
            raise UserError(f"select.low={list(low)} must lie below select.high={list(high)}")
        self.low = np.array([-np.inf if side is None else side for side in low])
        self.high = np.array([np.inf if side is None else side for side in high])
        self.edge = _positive(edge)

    def __call__(self, points: MapPoints, labelled: LabelledPoints | None) -> Floats:
        """Probabilities (n,); NaN outside the largest part."""
        inside = _columns(points, range(len(self.low)))
        depth = np.minimum(inside - self.low, self.high - inside).min(axis=1)
        return _soft(depth, points, self.edge)


class InPolygon:
    """Frames in a polygon in the plane of two coordinates of the largest part; needs no labels.

    p = 1 / (1 + exp(-s / edge)), s the distance from the border, negative outside.

    Args:
        corners: Three or more points; the last is joined with the first.
        axes: Numbers of the two coordinates, from 1.
        edge: Width over which the probability falls, in units of the coordinates.
    """

    needs_labels = False

    def __init__(
        self, corners: Sequence[tuple[float, float]], axes: tuple[int, int] = (1, 2), edge: float = 0.1
    ) -> None:
        self.corners = np.asarray(corners, dtype=np.float64)
        if self.corners.ndim != 2 or self.corners.shape[1] != 2 or len(self.corners) < 3:
            raise UserError("select.corners must hold three or more points [x, y]")
        if len(axes) != 2 or min(axes) < 1:
            raise UserError(f"select.axes={list(axes)} must name two coordinates, from 1")
        self.axes, self.edge = [axis - 1 for axis in axes], _positive(edge)

    def __call__(self, points: MapPoints, labelled: LabelledPoints | None) -> Floats:
        """Probabilities (n,); NaN outside the largest part."""
        point = _columns(points, self.axes)[:, None]
        start, end = self.corners, np.roll(self.corners, -1, axis=0)
        side = end - start
        length = np.maximum((side**2).sum(1), np.finfo(np.float64).tiny)
        along = (((point - start) * side).sum(2) / length).clip(0, 1)
        apart = np.linalg.norm(point - start - along[..., None] * side, axis=2).min(axis=1)
        straddles = (start[:, 1] > point[..., 1]) != (end[:, 1] > point[..., 1])
        with np.errstate(divide="ignore", invalid="ignore"):
            crossing = start[:, 0] + (point[..., 1] - start[:, 1]) * side[:, 0] / side[:, 1]
        inside = (straddles & (point[..., 0] < crossing)).sum(axis=1) % 2 == 1
        return _soft(np.where(inside, apart, -apart), points, self.edge)


def _positive(edge: float) -> float:
    if edge <= 0:
        raise UserError(f"select.edge={edge:g} must be above 0")
    return edge


def _columns(points: MapPoints, axes: Sequence[int]) -> Floats:
    """The coordinates (n, axes) of some numbers."""
    if max(axes) >= points.coordinates.shape[1]:
        raise UserError(f"select names coordinate {max(axes) + 1} of {points.coordinates.shape[1]}: raise coordinates")
    columns: Floats = points.coordinates[:, list(axes)]
    return columns


def _soft(depth: Floats, points: MapPoints, edge: float) -> Floats:
    probability: Floats = 1 / (1 + np.exp((-depth / edge).clip(-60, 60)))
    return np.where(points.part == 0, probability, np.nan)
