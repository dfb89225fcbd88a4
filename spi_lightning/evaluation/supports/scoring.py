"""Numbers of supports: against the truth where it is known, and against each other always."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from spi_lightning.fields import (
    AREA,
    CENTROSYMMETRY,
    DENSITY,
    FALSE_NEGATIVES,
    FALSE_POSITIVES,
    TRUE_CENTROSYMMETRY,
)
from spi_lightning.io.patterns.pattern_file import PatternFile
from spi_lightning.metrics.hits.bootstrap import interval_numbers, mean_intervals
from spi_lightning.metrics.supports.support_overlap import LEVELS, centrosymmetry, dilated, errors, support_overlap
from spi_lightning.physics.support import ideal_support
from spi_lightning.results.support_answer import SupportAnswer

Columns = dict[str, NDArray[Any]]
ALLOWED = 2  # false negatives from which a support is too small
SHARES = ("below_two_false_negatives", "centrosymmetry_broken", "true_centrosymmetry_broken")  # of patterns
BROKEN = 0.95  # share of pixels that stay inside when turned around, below which centrosymmetry counts as broken
_AT_ONCE = 256
DILATIONS = (0, 1)


def true_supports(patterns: PatternFile, frame: NDArray[np.int64], fraction: float) -> NDArray[np.bool_] | None:
    """Where the true density exceeds a fraction of its maximum, (n, H, W) bool; None if the file has no densities."""
    if DENSITY not in patterns.images:
        return None
    parts = []
    for start in range(0, len(frame), _AT_ONCE):
        density = torch.from_numpy(np.asarray(patterns.read_image(DENSITY, frame[start : start + _AT_ONCE])))
        parts.append(ideal_support(density.float(), fraction).numpy())
    return np.concatenate(parts)


def columns_of(support: NDArray[np.bool_], truth: NDArray[np.bool_] | None) -> Columns:
    """Numbers of each support, (N,) float32: area and centrosymmetry, and with a truth those of support_overlap."""
    parts: list[dict[str, torch.Tensor]] = []
    for start in range(0, len(support), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        found = torch.from_numpy(support[part])
        numbers = {AREA: found.sum((1, 2)).float()}
        if truth is None:
            parts.append(numbers | {CENTROSYMMETRY: centrosymmetry(found)})
        else:
            parts.append(numbers | support_overlap(found, torch.from_numpy(truth[part])).as_dict())
    return {name: torch.cat([part[name] for part in parts]).float().numpy() for name in parts[0]}


@dataclass(frozen=True)
class SupportScoring:
    """Means over patterns with bootstrap intervals; whole structures are drawn, not their many patterns.

    Args:
        structure: (N,) int64, -1 where unknown: then each pattern counts as a structure.
        replicates, seed: Number of bootstrap replicates, and the seed of their draw.
    """

    structure: NDArray[np.int64]
    replicates: int = 1000
    seed: int = 0

    def __call__(self, columns: Mapping[str, NDArray[Any]]) -> dict[str, float | int | None]:
        """``test/false_negatives`` and so on, each with ``/low`` and ``/high``."""
        values = {name: column.astype(np.float64) for name, column in columns.items() if not name.startswith("true_")}
        values["centrosymmetry_broken"] = (columns[CENTROSYMMETRY] < BROKEN).astype(np.float64)
        if FALSE_NEGATIVES in columns:
            values["below_two_false_negatives"] = (columns[FALSE_NEGATIVES] < ALLOWED).astype(np.float64)
            values["true_centrosymmetry_broken"] = (columns[TRUE_CENTROSYMMETRY] < BROKEN).astype(np.float64)
        group = self._groups()
        count = np.bincount(group)
        found = mean_intervals(values, group, self.replicates, self.seed)
        numbers: dict[str, float | int | None] = {"test/frames": len(group), "test/structures": len(count)}
        numbers |= interval_numbers(found, dict.fromkeys(SHARES, len(count)))
        if FALSE_NEGATIVES in columns:
            share = np.bincount(group, weights=values["below_two_false_negatives"]) / count
            numbers["test/worst_structure"] = int(self.structure[group == int(share.argmin())][0])
            numbers["test/worst_structure_below_two_false_negatives"] = float(share.min())
        return numbers

    def _groups(self) -> NDArray[np.int64]:
        known = (self.structure >= 0).all()
        group = self.structure if known else np.arange(len(self.structure))
        return np.unique(group, return_inverse=True)[1].astype(np.int64)


def agreement(supports: Sequence[NDArray[np.bool_]]) -> list[list[float]]:
    """Mean intersection over union of every two methods' supports, aligned over shift and twin, (M, M).

    Args:
        supports: Supports of M methods, (N, H, W) bool each.
    """
    matrix = np.eye(len(supports))
    for i, first in enumerate(supports):
        for j in range(i):
            missed, loose, _, other = (
                each.double() for each in errors(torch.from_numpy(first), torch.from_numpy(supports[j]))
            )
            shared = other - missed
            matrix[i, j] = matrix[j, i] = float((shared / (other + loose).clamp(min=1)).mean())
    found: list[list[float]] = matrix.tolist()
    return found


def trade_off_of(
    answer: SupportAnswer,
    truth: NDArray[np.bool_],
    parameter: str = "",
    at: Mapping[float, NDArray[np.bool_]] | None = None,
) -> list[dict[str, Any]]:
    """Errors at other thresholds and with a pixel of dilation: one entry for each, that of the answer last.

    Args:
        answer: Answer to n patterns.
        truth: True supports, (n, H, W) bool.
        parameter: Name of the parameter that was varied.
        at: Supports (n, H, W) bool by the value of that parameter; where there are none, the answer's density is cut at
            other levels.
    """
    true, points = torch.from_numpy(truth), []
    for setting, support in (at or {}).items():
        points += _points(torch.from_numpy(support), true, parameter, setting)
    if not at and answer.density is not None:
        density = torch.from_numpy(answer.density.astype(np.float32))
        for level in LEVELS.tolist():
            points += _points(density > level, true, "threshold", level)
    return [*points, _points(torch.from_numpy(answer.support), true, "as answered", None)[0]]


def _points(support: torch.Tensor, truth: torch.Tensor, parameter: str, setting: float | None) -> list[dict[str, Any]]:
    points = []
    for pixels in DILATIONS:
        missed, loose, area, true_area = errors(dilated(support, pixels), truth)
        points.append(
            {
                "parameter": parameter,
                "setting": setting,
                "dilation": pixels,
                "below_two_false_negatives": float((missed < ALLOWED).float().mean()),
                FALSE_NEGATIVES: float(missed.mean()),
                FALSE_POSITIVES: float(loose.mean()),
                "area_ratio": float((area / true_area.clamp(min=1)).mean()),
            }
        )
    return points
