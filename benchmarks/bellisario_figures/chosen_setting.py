"""A method at the setting that validation structures ask for, so that each is compared at its best."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.bellisario_figures.patterns import answer, table_of, truth_of
from spi_lightning.fields import Batch
from spi_lightning.methods import SupportMethod, TripleIntersection
from spi_lightning.metrics.supports.support_overlap import LEVELS, dilated, errors
from spi_lightning.results.supports import MethodResult

COVERAGE = 0.97
THRESHOLDS, NOISE = (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2), (1.0, 2.0, 4.0)
DILATIONS = (0, 1, 2)


@dataclass(frozen=True)
class Setting:
    """A method, the level at which its score is cut (None: as it answers), and by how many pixels that is grown."""

    method: SupportMethod
    level: float | None
    dilation: int
    words: str

    def answer(self, patterns: Batch, name: str | None = None) -> MethodResult:
        """What it says of other patterns."""
        return cut(answer(self.method, patterns, name), self.level, self.dilation, truth_of(patterns))


def chosen_setting(method: SupportMethod, patterns: Batch, counted: bool = False) -> Setting:
    """The setting with the fewest false positives at which 97 % of some patterns have fewer than two false negatives.

    Where none covers so many, the one that covers most. Networks are cut at levels of their score; intersections at
    shares of the autocorrelation, with photons also at multiples of shot noise, and grown by 0 to 2 pixels.

    Args:
        method: A network or an intersection, or either behind a network that heals.
        patterns: Of validation structures.
        counted: Whether an intersection sees photons.
    """
    best: tuple[tuple[float, float], Setting] | None = None
    truth = torch.from_numpy(truth_of(patterns))
    for found, words in _variants(method, counted):
        table = answer(found, patterns)
        scored = not method.settings
        for level in LEVELS.tolist() if scored else [None]:
            for dilation in (0,) if scored else DILATIONS:
                missed, loose, _, _ = errors(_support(table, level, dilation), truth)
                rank = (min(float((missed < 2).float().mean()), COVERAGE), -float(loose.mean()))
                if best is None or rank > best[0]:
                    notes = f"level {level:.3f}" if scored else f"{words}, grown {dilation}"
                    best = rank, Setting(found, level, dilation, notes)
    assert best is not None
    return best[1]


def _variants(method: SupportMethod, counted: bool) -> Iterator[tuple[SupportMethod, str]]:
    if not method.settings:
        yield method, ""
        return
    for threshold in THRESHOLDS:
        for noise in NOISE if counted else (None,):
            other = method.at(threshold)
            yield (
                replace(other, noise=noise) if noise is not None and isinstance(other, TripleIntersection) else other,
                f"cut {threshold:g}" + ("" if noise is None else f", noise {noise:g}"),
            )


def cut(table: MethodResult, level: float | None, dilation: int, truth: NDArray[Any]) -> MethodResult:
    """The same answer with its score cut at another level, grown by some pixels."""
    return table_of(table.name, _support(table, level, dilation).numpy(), table.density, truth)


def _support(table: MethodResult, level: float | None, dilation: int) -> Tensor:
    if level is None or table.density is None:
        return dilated(torch.from_numpy(table.support), dilation)
    return dilated(torch.from_numpy(table.density) > level, dilation)
