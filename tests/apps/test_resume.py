"""A run taken up anywhere ends where the uninterrupted one ends, bit for bit."""

import json
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from spi_lightning.apps.train import train
from tests.apps.small_runs import load, small_config

RECIPE = ("data.augment=dihedral", "schedule=cosine", "schedule.T_max=15", "callbacks.often.every_n_train_steps=1")


class PowerCutError(RuntimeError):
    """What ends a run in its middle."""


class Crash(pl.Callback):
    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_start(self, trainer: pl.Trainer, *_: Any) -> None:
        if trainer.global_step == self.step:
            raise PowerCutError


def equal(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(equal(x, y) for x, y in zip(a, b, strict=True))
    return bool(a == b)


def numbers(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "metrics.json").read_text())
    return {name: value for name, value in found.items() if name != "train/seconds"}


def last_training_loss(folder: Path) -> str:
    lines = [line.split(",") for line in (folder / "metrics.csv").read_text().splitlines()]
    column = lines[0].index("train/loss")
    return [line[column] for line in lines[1:] if line[column]][-1]


BY_STEPS = (
    "trainer.max_steps=13 trainer.max_epochs=-1 trainer.val_check_interval=3 trainer.check_val_every_n_epoch=null"
)


@pytest.mark.parametrize(
    ("changes", "steps"),
    [
        ("data.online=false", (1, 4, 5, 7, 10, 14)),
        ("data.online=true", (6, 10)),
        (f"data.online=true {BY_STEPS}", (2, 3, 5, 10, 12)),
    ],
    ids=["file", "online", "by_steps"],
)
def test_resumed_run_equals_the_uninterrupted_one(tmp_path: Path, changes: str, steps: tuple[int, ...]) -> None:
    source = changes.split()
    train(small_config(tmp_path, *RECIPE, *source))
    for step in steps:
        name = f"cut_at_{step}"
        crash = f"{{_target_: tests.apps.test_resume.Crash, step: {step}}}"
        with pytest.raises(PowerCutError):
            train(small_config(tmp_path, *RECIPE, *source, f"+callbacks.crash={crash}", name=name))
        train(small_config(tmp_path, *RECIPE, *source, f"resume={tmp_path / name}", name=name))
        for checkpoint in ("last", "best"):
            whole, resumed = (load(tmp_path / run / f"checkpoints/{checkpoint}.ckpt") for run in ("run", name))
            for part in ("state_dict", "optimizer_states", "lr_schedulers", "global_step", "epoch"):
                assert equal(whole[part], resumed[part]), (step, checkpoint, part)
        assert numbers(tmp_path / "run") == numbers(tmp_path / name), step
        assert last_training_loss(tmp_path / "run") == last_training_loss(tmp_path / name), step
