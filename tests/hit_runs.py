"""A checkpoint and a file of patterns small enough for a test, made as train.py and facilities make them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from hydra.utils import instantiate

from spi_lightning.io import PatternFile, open_patterns
from spi_lightning.progress import Listener
from spi_lightning.results.decision import DecisionRule
from spi_lightning.results.hit_answer import HitPart, TrainingLabels
from spi_lightning.results.hits import DecidedAnswer


def answer_of(
    method: Any,
    patterns: PatternFile,
    labels: TrainingLabels | None = None,
    rule: DecisionRule | None = None,
    listener: Listener | None = None,
) -> DecidedAnswer:
    """Decided answer of a method to all frames of a file."""
    answer = method.answer(HitPart("content of the file", labels, patterns), listener or Listener())
    return DecidedAnswer.of(method.name, answer, rule or DecisionRule())


def task_config(classes: int = 1, **preprocess: Any) -> dict[str, Any]:
    return {
        "_target_": "spi_lightning.tasks.HitClassification",
        "classes": classes,
        "network": {
            "_target_": "spi_lightning.networks.TinyCNN",
            "size": 24,
            "classes": classes,
            "in_channels": 2 if preprocess.get("mask_channel") else 1,
        },
        "preprocess": {"_target_": "spi_lightning.data.transforms.Preprocess", **preprocess},
        "loss": {"_target_": "spi_lightning.losses.binary_cross_entropy", "_partial_": True},
        "metrics": {"_target_": "spi_lightning.metrics.HitMetrics"},
        "optimizer": {"_target_": "torch.optim.Adam", "_partial_": True},
    }


@pytest.fixture
def make_run(tmp_path) -> Callable[..., Path]:
    """Run folders with a checkpoint of random weights: make_run(name, seed, classes=..., bin=...)."""

    def make(name: str = "run", seed: int = 0, classes: int = 1, **preprocess: Any) -> Path:
        torch.manual_seed(seed)
        config = {"task": task_config(classes, **preprocess)}
        task = instantiate(config["task"])
        task.temperature.fill_(2.0)
        path = tmp_path / "runs" / name / "checkpoints" / "best.ckpt"
        path.parent.mkdir(parents=True)
        torch.save({"state_dict": task.state_dict(), "config": config}, path)
        return path.parents[1]

    return make


@pytest.fixture
def make_file(tmp_path) -> Callable[..., PatternFile]:
    """HDF5 files of bright and faint rings: make_file(count, labelled=..., masks=...)."""

    def make(count: int = 30, labelled: bool = True, name: str = "a.h5", masks: int = 1, edge: int = 24) -> PatternFile:
        random = np.random.default_rng(0)
        label = np.arange(count) % 2
        radius = np.hypot(*(np.mgrid[:edge, :edge] - (edge - 1) / 2))
        photons = random.poisson((0.2 + 8 * label[:, None, None]) * np.exp(-((radius / 5) ** 2)))
        mask = np.zeros((edge, edge), dtype=np.uint8)
        mask[11:13, 4:20] = 1
        with h5py.File(tmp_path / name, "w") as file:
            file.create_dataset("photons", data=photons.astype(np.uint16), chunks=(4, edge, edge))
            file["mask"] = mask if masks == 1 else np.stack([np.roll(mask, i % masks, 0) for i in range(count)])
            file["mask"].attrs["comment"] = "1 = not measured"
            if labelled:
                file["label"] = label
        return open_patterns(tmp_path / name, mask_convention="bad")

    return make
