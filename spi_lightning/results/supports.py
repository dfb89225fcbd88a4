"""Result of an evaluation of supports: answers of all methods, their numbers, and the displayed patterns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from spi_lightning.fields import AREA, DENSITY, FALSE_NEGATIVES, FALSE_POSITIVES
from spi_lightning.io.patterns.pattern_file import PatternFile
from spi_lightning.notes import Note
from spi_lightning.physics.array import evenly
from spi_lightning.summary import Summarised

from .answered import Cost

SUPPORTS_FILE: Final = "supports.h5"
EVEN, WORST, SMALLEST, LARGEST = "Typical patterns", "Worst answers", "Smallest particles", "Largest particles"
"""Choices of displayed patterns: spread evenly over the file, of most false negatives, of least and of largest area."""


@dataclass(frozen=True, repr=False)
class MethodResult(Summarised):
    """Answer of one method to N patterns, with the numbers of each support.

    Attributes:
        name: Name of the method.
        support: (N, H, W) bool.
        density: (N, H, W) float16, density or score, at most 1; None for methods without one.
        columns: Numbers of each support, (N,): area, centrosymmetry, and with a truth false_negatives and others.
        cost: Cost of the answer when it was made.
        kept: Whether the answer was read from the cache.
        network: Checkpoint, weights and threshold of a network; empty for other methods.
    """

    name: str
    support: NDArray[np.bool_]
    density: NDArray[Any] | None
    columns: Mapping[str, NDArray[Any]]
    cost: Cost
    kept: bool = False
    network: Mapping[str, Any] | None = None

    @property
    def ms_per_pattern(self) -> float:
        """Wall time of one pattern, ms."""
        return 1e3 * self.cost.seconds / max(1, len(self.support))


@dataclass(frozen=True, repr=False)
class DisplayedPatterns(Summarised):
    """Patterns of the galleries.

    Attributes:
        choices: EVEN, WORST, SMALLEST or LARGEST -> rows of the answers, (n,).
        row: (m,) int64, rows stored, sorted.
        intensity: (m, H, W) float32.
        mask: (m, H, W) bool, True where measured.
        density: (m, H, W) float32, true density; None where it is unknown.
    """

    choices: Mapping[str, NDArray[np.int64]]
    row: NDArray[np.int64]
    intensity: NDArray[np.float32]
    mask: NDArray[np.bool_]
    density: NDArray[np.float32] | None


@dataclass(frozen=True, repr=False)
class SupportResult(Summarised):
    """Result of an evaluation of supports on N patterns.

    Attributes:
        path: File or folder of the patterns.
        format: Format of the file.
        frame: (N,) int64, index of each pattern in its file.
        structure: (N,) int64, number of the structure behind each pattern, -1 where unknown.
        structures: Name of each structure by its number; empty where the file has none.
        truth: (N, H, W) bool, true supports; None where the file has no densities.
        fraction: Share of the density's maximum that a true support exceeds.
        methods: Answers of all methods, in the order in which they were named.
        primary: Index of the primary method.
        curve_patterns: Number of patterns of the trade-off curve.
        displayed: Patterns of the galleries.
        metrics: Numbers of all methods, as in metrics.json.
        notes: Notes of the reader and of all methods.
        command: Command line of the evaluation.

    Examples:
        >>> from spi_lightning import evaluate
        >>> result = evaluate("hits.cxi", ["double_intersection", "triple_intersection"])
        >>> [(one.name, one.support.shape) for one in result.methods]
        [('double_intersection', (24, 32, 32)), ('triple_intersection', (24, 32, 32))]
    """

    drawn_by: ClassVar[str] = "spi_lightning.reports.drawing:supports"
    path: str
    format: str
    frame: NDArray[np.int64]
    structure: NDArray[np.int64]
    structures: Mapping[int, str]
    truth: NDArray[np.bool_] | None
    fraction: float
    methods: list[MethodResult]
    primary: int
    curve_patterns: int
    displayed: DisplayedPatterns
    metrics: Mapping[str, Any]
    notes: list[Note]
    command: str = ""

    def facts(self) -> Mapping[str, object]:
        """File, methods and, with true supports, the share of their pixels that the primary method missed."""
        missed, extra = (self.metrics.get(f"test/false_{name}") for name in ("negatives", "positives"))
        return {
            "file": self.path,
            "patterns": f"{len(self.frame):,} of {' x '.join(map(str, self.primary_method.support.shape[1:]))} pixels",
            "methods": [method.name for method in self.methods],
            "primary": self.primary_method.name,
            "area": f"{self.primary_method.support.mean(0).sum():.0f} pixels on average",
            "missed": None if missed is None else f"{100 * missed:.1f} % of the true support",
            "too much": None if extra is None else f"{100 * extra:.1f} % of the true support",
            "notes": len(self.notes) or None,
        }

    @property
    def primary_method(self) -> MethodResult:
        """Method whose numbers open metrics.json and whose failures are displayed."""
        return self.methods[self.primary]

    def name_of(self, structure: int) -> str:
        """Name of a structure; its number where the file has no names."""
        return self.structures.get(structure, f"structure {structure}")


def choose_patterns(
    method: MethodResult, truth_area: NDArray[Any] | None, structure: NDArray[np.int64], count: int
) -> dict[str, NDArray[np.int64]]:
    """Rows for the galleries: evenly spread ones, the worst answers, and the extremes of size.

    Args:
        method: Method whose answers are ranked.
        truth_area: (N,) pixels of the true supports; None if unknown: then the method's own areas are the sizes.
        structure: (N,) numbers of the structures, -1 where unknown; a gallery holds a structure twice only if there are
            too few.
        count: Number of patterns of each gallery; 0: no galleries.
    """
    total = len(method.support)
    if count < 1 or total == 0:
        return {}
    size = method.columns[AREA] if truth_area is None else truth_area
    choices = {EVEN: evenly(total, count)}
    if truth_area is not None:
        missed, loose = method.columns[FALSE_NEGATIVES], method.columns[FALSE_POSITIVES]
        choices[WORST] = _first_of_each(np.lexsort((-loose, -missed)), structure, count)
    if total > count:
        choices[SMALLEST] = _first_of_each(np.argsort(size, kind="stable"), structure, count)
        choices[LARGEST] = _first_of_each(np.argsort(-size, kind="stable"), structure, count)
    return choices


def _first_of_each(order: NDArray[Any], structure: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """First ``count`` rows of an order (n,): one of each structure, then the others."""
    known = structure[order]
    first = np.zeros(len(order), dtype=bool)
    first[np.unique(known, return_index=True)[1]] = True
    first |= known < 0
    chosen: NDArray[np.int64] = np.concatenate([order[first], order[~first]])[:count].astype(np.int64)
    return chosen


def collect_patterns(
    patterns: PatternFile, frame: NDArray[np.int64], choices: dict[str, NDArray[np.int64]]
) -> DisplayedPatterns:
    """Patterns of the galleries, read from their file.

    Args:
        patterns: File of the patterns.
        frame: (N,) int64, frame of each row.
        choices: EVEN, WORST, SMALLEST or LARGEST -> rows of the answers.
    """
    rows = np.unique(np.concatenate([np.empty(0, dtype=np.int64), *choices.values()]).astype(np.int64))
    frames = frame[rows]
    density = patterns.read_image(DENSITY, frames).astype(np.float32) if DENSITY in patterns.images else None
    return DisplayedPatterns(
        choices=choices,
        row=rows,
        intensity=patterns.read_stored(frames),
        mask=np.ascontiguousarray(patterns.read_mask(frames)),
        density=density,
    )
