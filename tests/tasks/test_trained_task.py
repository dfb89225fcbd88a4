"""Learning rates of every step, as schedules and optimisers of a command make them."""

import warnings
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import DictConfig, open_dict

from spi_lightning.apps.train import train
from spi_lightning.errors import UserError
from spi_lightning.tasks.trained_task import TrainedTask
from tests.apps.small_runs import CONF, load, small_config
from tests.test_experiments import shrink

RATES: list[float] = []
RECORD = "+callbacks.record={_target_: tests.tasks.test_trained_task.Record}"
OTHERS = ("bellisario_support", "bellisario_healing", "wu_supervised")


class Record(pl.Callback):
    """Keeps the learning rate of each step."""

    def on_train_batch_start(self, trainer: pl.Trainer, *_: Any) -> None:
        RATES.append(trainer.optimizers[0].param_groups[0]["lr"])


class Line(TrainedTask):
    """A task of one weight."""

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        return self.count_loss(self.network(batch).square(), batch_idx)

    def on_fit_start(self) -> None:
        """There is nothing to validate."""


def rates(cfg: DictConfig) -> torch.Tensor:
    """Learning rates of the steps of a training of three epochs of five batches, by optimiser, schedule and trainer."""
    RATES.clear()
    cfg.trainer.default_root_dir = str(Path(cfg.folder))
    task = Line(
        torch.nn.Linear(1, 1), instantiate(cfg.optimizer), instantiate(cfg.schedule), cfg.task.get("interval", "epoch")
    )
    options = {"callbacks": [Record()], "logger": False, "enable_checkpointing": False}
    with warnings.catch_warnings(action="ignore"):
        instantiate(cfg.trainer, **options).fit(task, torch.utils.data.DataLoader(torch.zeros(5, 1)))  # type: ignore[arg-type]
    return torch.tensor(RATES, dtype=torch.float64)


def of_experiment(name: str, tmp_path: Path, *words: str) -> DictConfig:
    """Two epochs of four steps."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("train", [f"experiment={name}", f"folder={tmp_path}", "tracking=disabled", RECORD, *words])
    shrink(cfg, tmp_path)
    with open_dict(cfg):
        cfg.data.update({"batch_size": 4})
        cfg.trainer.update({"max_steps": -1, "max_epochs": 2})
    return cfg


def cosine(steps: int, rate: float = 1e-3) -> torch.Tensor:
    return rate * (1 + torch.cos(torch.pi * torch.arange(steps).double() / steps)) / 2


@pytest.mark.parametrize(
    ("words", "factors"),
    [  # three epochs of five steps
        (("schedule=step_decay", "schedule.period=1"), [0.95 ** (step // 5) for step in range(15)]),
        (("schedule=step_decay", "schedule.period=2", "task.interval=step"), [0.95 ** (n // 2) for n in range(15)]),
        (("optimizer=adam_sgd", "schedule=alternate_every", "schedule.period=1", "optimizer.lr=1e-3"),
         [0.95 ** (step // 5) for step in range(15)]),
        (("schedule=cosine",), cosine(15, 1.0)),
        (("schedule=cosine", "trainer.max_steps=7"), cosine(7, 1.0)),
        (("schedule=cosine", "trainer.max_steps=100"), cosine(15, 1.0)),
        (("schedule=cosine", "schedule.T_max=3"), [(1.0, 0.75, 0.25)[step // 5] for step in range(15)]),
        (("schedule=cosine", "schedule.T_max=30"), cosine(30, 1.0)[:15]),
    ],
)  # fmt: skip
def test_the_rate_of_every_step(tmp_path: Path, words: tuple[str, ...], factors: Any) -> None:
    found = rates(small_config(tmp_path, *words))
    torch.testing.assert_close(found, 1e-3 * torch.as_tensor(factors, dtype=torch.float64))


@pytest.mark.parametrize("words", [(), ("schedule.total_steps=3",), ("trainer.max_steps=15",)])
def test_a_cycle_is_as_long_as_the_training(tmp_path: Path, words: tuple[str, ...]) -> None:
    found = rates(small_config(tmp_path, "schedule=one_cycle", *words))
    assert len(found) == 15 and found.argmax() in (3, 4) and found.max() == pytest.approx(1e-3, rel=0.05)
    assert found[-1] < 1e-5 and found[0] == pytest.approx(4e-5)


@pytest.mark.parametrize("experiment", OTHERS)
def test_other_tasks_count_epochs_too(experiment: str, tmp_path: Path) -> None:
    words = ["optimizer=adam", "schedule=step_decay", "schedule.period=1", "optimizer.lr=0.01"]
    RATES.clear()
    train(of_experiment(experiment, tmp_path, *words))
    assert pytest.approx([0.01] * 4 + [0.0095] * 4) == RATES


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("optimizer=adam_sgd",), r"optimizer: of 2 members only the first.*alternate_every"),
        (("optimizer=adam_sgd", "schedule=cosine"), r"optimizer: of 2 members only the first"),
        (("schedule=one_cycle", "schedule.total_steps=9"), r"total_steps=9 ends before the training, which takes 15"),
        (("schedule=cosine", "trainer.max_epochs=-1"), r"ends with the training: give trainer\.max_steps"),
        (("task.interval=week",), r"task\.interval=week is unknown"),
    ],
)
def test_a_schedule_that_cannot_be_is_one_line(tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    with pytest.raises(UserError, match=message):
        rates(small_config(tmp_path, *words))


def test_the_cycle_of_a_resumed_run_is_as_long_as_the_longer_training(tmp_path: Path) -> None:
    train(small_config(tmp_path, "schedule=one_cycle"))
    train(small_config(tmp_path, "schedule=one_cycle", "trainer.max_epochs=5", f"resume={tmp_path / 'run'}"))
    (schedule,) = load(tmp_path / "run/checkpoints/last.ckpt")["lr_schedulers"]
    assert schedule["total_steps"] == schedule["last_epoch"] == 25
