"""Scores of a method on one experiment, by the package's own evaluation.

Trained networks and photon counts see the file as it is. Methods that learn from 20 labels of the file see it around
the beam at a known scale (window.py), so that they are as good as a user who knows the experiment can make them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spi_lightning.api.evaluation import method_of
from spi_lightning.evaluation import Cache
from spi_lightning.evaluation.hits import HitMethod, evaluate_hits
from spi_lightning.evaluation.hits.question import LabelledSubset, needs_labels
from spi_lightning.fields import KIND
from spi_lightning.io import PatternFile

from .frames import BLANK

Numbers = dict[str, Any]
PER_CLASS: Final = 10
FOLDS: Final = 5
_NAMES: Final = ("auroc", "accuracy", "recall", "precision", "false_positive_rate", "precision_at_90_recall")


@dataclass(frozen=True)
class Setting:
    """How methods are scored.

    Attributes:
        draws: Number of draws of the 20 labelled frames, whose scores are averaged.
        replicates: Bootstrap replicates of the 95 % intervals.
        cache: Folder in which answers are kept; None: none are.
    """

    draws: int = 3
    replicates: int = 1000
    cache: Path | None = None


def precision_at_90_recall(probability: Tensor, label: Tensor) -> Tensor:
    """Precision of the frames above the highest threshold at which nine of ten single hits are taken."""
    singles = probability[label == 1]
    if len(singles) == 0:
        return torch.tensor(torch.nan)
    least = singles.sort(descending=True).values[int(np.ceil(0.9 * len(singles))) - 1]
    return (label[probability >= least] == 1).double().mean()


def score(entry: str, whole: PatternFile, middle: PatternFile, setting: Setting) -> Numbers:
    """Numbers of one method: means over draws of the labels, the AUROC of each draw, and what the draws span.

    Args:
        entry: Name of a method, a run folder or the name of shipped weights.
        whole: Frames as the facility wrote them, labelled.
        middle: The same frames around the beam at a known scale.
        setting: Draws, replicates and cache.

    Returns:
        ``auroc`` with ``low`` and ``high``, ``auroc_hits`` (blanks left out), ``accuracy``, ``recall``, ``precision``,
        ``false_positive_rate``, ``precision_at_90_recall``, ``each`` (AUROC of each draw), ``labels`` and ``seconds``.
    """
    method: HitMethod = method_of(entry, "hits")
    learns = needs_labels(method)
    subsets = [LabelledSubset(per_class=PER_CLASS, seed=seed) for seed in range(setting.draws if learns else 1)]
    return _mean([_numbers(method, middle if learns else whole, subset, setting) for subset in subsets], learns)


def ceiling(entry: str, middle: PatternFile, setting: Setting) -> Numbers:
    """Numbers of a method that learns from the labels of four fifths of the frames: can the frames be told at all?"""
    method: HitMethod = method_of(entry, "hits")
    return _mean([_numbers(method, middle, LabelledSubset(folds=FOLDS), setting)], True)


def evaluated(entry: str, patterns: PatternFile, excluded: NDArray[np.int64]) -> Numbers:
    """Numbers of a method on labelled frames, ``auroc_hits`` without the excluded ones."""
    return _of_method(method_of(entry, "hits"), patterns, LabelledSubset(), Setting(), excluded)


def _numbers(method: HitMethod, patterns: PatternFile, subset: LabelledSubset, setting: Setting) -> Numbers:
    return _of_method(method, patterns, subset, setting, np.flatnonzero(patterns.labels[KIND] == BLANK))


def _of_method(
    method: HitMethod, patterns: PatternFile, subset: LabelledSubset, setting: Setting, excluded: NDArray[np.int64]
) -> Numbers:
    result = evaluate_hits(
        patterns,
        [method],
        subset=subset,
        excluded=excluded,
        cache=Cache(setting.cache),
        replicates=setting.replicates,
        extra={"precision_at_90_recall": precision_at_90_recall},
        hit_threshold=None,
        gallery=0,
        occlusion=0,
    )
    found = result.metrics["methods"][method.name]
    numbers = {name: found.get(f"test/{name}") for name in _NAMES}
    numbers |= {"low": found.get("test/auroc/low"), "high": found.get("test/auroc/high")}
    numbers["auroc_hits"] = found.get("test_kept/auroc", numbers["auroc"])
    facts = result.methods[method.name]
    return {**numbers, "labels": facts.labels, "seconds": facts.cost.seconds}


def _mean(draws: Sequence[Numbers], learns: bool) -> Numbers:
    """Means over draws; None where a number is undefined in one of them."""
    numbers: Numbers = {}
    for name in draws[0]:
        values = [draw[name] for draw in draws]
        numbers[name] = None if None in values else float(np.mean(values))
    numbers["labels"] = draws[0]["labels"] if learns else 0
    return {**numbers, "each": [draw["auroc"] for draw in draws]}
