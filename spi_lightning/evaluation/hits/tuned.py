"""Comparison of a network before and after tuning: on simulated patterns like a file, and on the file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchmetrics.functional.classification import binary_accuracy, binary_auroc

from spi_lightning.data.scale.scale_free import ScaleFree
from spi_lightning.fields import FRAME, IS_SINGLE_HIT, MASK, PHOTONS
from spi_lightning.methods import CheckpointMethod
from spi_lightning.results.hits import HitResult

BEFORE, AFTER = "before", "tuned"
_AT_ONCE = 128  # patterns


def simulated_numbers(method: CheckpointMethod, simulated: Mapping[str, Tensor]) -> dict[str, float]:
    """Area under ROC and accuracy of a network on simulated canonical patterns, a block of a simulator."""
    task, found = method.task, []
    preprocess = task.preprocess
    assert isinstance(preprocess, ScaleFree)
    scale, preprocess.scale = preprocess.scale, None
    with torch.inference_mode():
        for start in range(0, len(simulated[PHOTONS]), _AT_ONCE):
            part = {name: simulated[name][start : start + _AT_ONCE, None].to(method.device) for name in (PHOTONS, MASK)}
            number = torch.arange(len(part[PHOTONS]))
            found.append(task.answers_to(preprocess({**part, FRAME: number}), number)["probability"].cpu())
    preprocess.scale = scale
    probability, label = torch.cat(found), simulated[IS_SINGLE_HIT]
    return {
        "auroc": float(binary_auroc(probability, label)),
        "accuracy": float(binary_accuracy(probability, label)),
    }


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
