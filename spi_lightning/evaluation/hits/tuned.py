"""A network before and after tuning: on simulated patterns like a file and on the file, and its border there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.mixture import GaussianMixture
from torch import Tensor
from torchmetrics.functional.classification import binary_accuracy, binary_auroc

from spi_lightning.data.scale.scale_free import ScaleFree
from spi_lightning.fields import FRAME, IS_SINGLE_HIT, LOGITS, MASK, PHOTONS, PROBABILITY
from spi_lightning.methods import CheckpointMethod
from spi_lightning.results.hits import HitResult

BEFORE, AFTER = "before", "tuned"
_AT_ONCE: Final = 128  # patterns
_LEAST_HITS: Final = 60
_LEAST_GROUP: Final = 0.1  # share of the smaller group
_LEAST_DISTANCE: Final = 2.0  # of the means of the groups, logits
_LARGEST_LOGIT: Final = 8.0
_LARGEST_SHIFT: Final = 2.5


def simulated_numbers(method: CheckpointMethod, simulated: Mapping[str, Tensor]) -> dict[str, float]:
    """Area under ROC and accuracy of a network on simulated canonical patterns, a block of a simulator."""
    probability = answers_of(method, simulated[PHOTONS], simulated[MASK])[PROBABILITY]
    label = simulated[IS_SINGLE_HIT]
    return {
        "auroc": float(binary_auroc(probability, label)),
        "accuracy": float(binary_accuracy(probability, label)),
    }


def answers_of(method: CheckpointMethod, photons: Tensor, mask: Tensor) -> dict[str, Tensor]:
    """Logits and probabilities (n,) of a network on canonical patterns (n, 64, 64)."""
    task, found = method.task, []
    preprocess = task.preprocess
    assert isinstance(preprocess, ScaleFree)
    scale, preprocess.scale = preprocess.scale, None
    with torch.inference_mode():
        for start in range(0, len(photons), _AT_ONCE):
            part = slice(start, start + _AT_ONCE), None
            batch = {PHOTONS: photons[part].to(method.device), MASK: mask[part].to(method.device)}
            number = torch.arange(len(batch[PHOTONS]))
            found.append(task.answers_to(preprocess({**batch, FRAME: number}), number))
    preprocess.scale = scale
    return {name: torch.cat([one[name].cpu() for one in found]) for name in (LOGITS, PROBABILITY)}


def decision_shift(logits: NDArray[np.float64]) -> float:
    """Logit at which the hits of a file fall apart into single hits and others; 0 where they are not two groups.

    The two groups are normal distributions fitted to the logits, without labels. The border is where a hit between
    their means is as likely of one as of the other.

    Args:
        logits: (n,) logits of the hits of a file, of a network with one class.
    """
    if len(logits) < _LEAST_HITS:
        return 0.0
    values = np.clip(logits, -_LARGEST_LOGIT, _LARGEST_LOGIT)[:, None]
    one, two = (GaussianMixture(groups, random_state=0).fit(values) for groups in (1, 2))
    low, high = np.sort(two.means_[:, 0])
    if two.bic(values) > one.bic(values) or two.weights_.min() < _LEAST_GROUP or high - low < _LEAST_DISTANCE:
        return 0.0
    between = np.linspace(low, high, 401)
    upper = two.predict_proba(between[:, None])[:, int(two.means_[:, 0].argmax())]
    border = float(between[np.abs(upper - 0.5).argmin()])
    return min(max(border, -_LARGEST_SHIFT), _LARGEST_SHIFT)


def changes(result: HitResult) -> dict[str, Any]:
    """What tuning changed on a file: frames that changed sides, frames taken and their photons, numbers by labels.

    Args:
        result: Evaluation of the networks BEFORE and AFTER.
    """
    before, after = (next(one for one in result.answers if one.name == name) for name in (BEFORE, AFTER))
    photons = result.columns.get("photons")
    numbers: dict[str, Any] = {
        "frames": len(before.decision),
        "now_taken": np.flatnonzero((after.decision == 1) & (before.decision == 0)).tolist(),
        "no_longer_taken": np.flatnonzero((after.decision == 0) & (before.decision == 1)).tolist(),
    }
    for name, answer in ((BEFORE, before), (AFTER, after)):
        taken = answer.decision == 1
        numbers[name] = {"taken": int(taken.sum()), "uncertain": int(answer.abstain.sum())}
        if photons is not None and taken.any():
            numbers[name]["mean_photons"] = float(np.asarray(photons)[taken].mean())
        scored = result.metrics.get("methods", {}).get(name, {})
        numbers[name] |= {key[5:]: scored[key] for key in ("test/auroc", "test/accuracy") if key in scored}
    return numbers
