"""Validations of a training: early stops and plateaus of a resumed run, recalibrated batch norm."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from pytorch_lightning.trainer.states import TrainerFn
from torch import nn

from spi_lightning.apps.train import train
from spi_lightning.callbacks import RecalibrateBatchNorm
from tests.apps.small_runs import load, small_config

STOP = "+callbacks.early_stop={_target_: pytorch_lightning.callbacks.EarlyStopping, monitor: val/loss, mode: min, "
PLATEAU = (
    "schedule._target_=torch.optim.lr_scheduler.ReduceLROnPlateau",
    "~schedule.total_iters",
    "schedule.factor=0.5",
    "+schedule.patience=0",
    "+schedule.threshold=10",  # which no loss is below
)


def rate(run: Path) -> float:
    return float(load(run / "checkpoints/last.ckpt")["optimizer_states"][0]["param_groups"][0]["lr"])


def stopping(run: Path) -> int:
    """Validations without improvement."""
    states = load(run / "checkpoints/last.ckpt")["callbacks"]
    return int(next(state for name, state in states.items() if name.startswith("EarlyStopping"))["wait_count"])


@pytest.mark.parametrize(("first", "again"), [(("max_steps=5", "max_epochs=-1"), "max_steps=15"), ((), "max_epochs=3")])
def test_early_stops_count_every_validation_once(tmp_path: Path, first: tuple[str, ...], again: str) -> None:
    words = ("optimizer.lr=0", f"{STOP}patience: 9}}")
    before = [f"trainer.{word}" for word in first or ("max_epochs=1",)]
    train(small_config(tmp_path, *words, *before))
    assert stopping(tmp_path / "run") == 0
    train(small_config(tmp_path, *words, *before, f"trainer.{again}", f"resume={tmp_path / 'run'}"))
    assert stopping(tmp_path / "run") == 2 and load(tmp_path / "run/checkpoints/last.ckpt")["global_step"] == 15


def test_a_run_that_has_stopped_early_stays_so_until_it_gets_more_patience(tmp_path: Path, capsys) -> None:
    words = ("optimizer.lr=0", "trainer.max_epochs=6")
    train(small_config(tmp_path, *words, f"{STOP}patience: 1}}"))
    assert load(tmp_path / "run/checkpoints/last.ckpt")["global_step"] == 10
    capsys.readouterr()
    train(small_config(tmp_path, *words, f"{STOP}patience: 1}}", f"resume={tmp_path / 'run'}"))
    message = capsys.readouterr().out
    assert "nothing was trained: the run had stopped early, val/loss did not improve in 1 validations" in message
    train(small_config(tmp_path, *words, f"{STOP}patience: 3}}", f"resume={tmp_path / 'run'}"))
    assert load(tmp_path / "run/checkpoints/last.ckpt")["global_step"] == 20


def test_a_plateau_lowers_the_rate_after_each_validation_also_of_a_resumed_run(tmp_path: Path) -> None:
    train(small_config(tmp_path, *PLATEAU, "trainer.max_epochs=2"))
    assert rate(tmp_path / "run") == pytest.approx(1e-3 / 4)
    train(small_config(tmp_path, *PLATEAU, "trainer.max_epochs=4", f"resume={tmp_path / 'run'}"))
    assert rate(tmp_path / "run") == pytest.approx(1e-3 / 16)
    train(small_config(tmp_path, *PLATEAU, "trainer.max_epochs=4", name="whole"))
    whole, resumed = (load(tmp_path / name / "checkpoints/last.ckpt")["state_dict"] for name in ("whole", "run"))
    assert all(torch.equal(whole[key], resumed[key]) for key in whole)


class Network(nn.Module):
    """Dropout in front of a batch normalisation."""

    device = torch.device("cpu")

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(2)
        self.dropout = nn.Dropout(0.5)

    def forward(self, batch) -> torch.Tensor:
        return self.norm(self.dropout(batch["photons"]))


def trainer(batches, stage=TrainerFn.FITTING) -> SimpleNamespace:
    return SimpleNamespace(
        world_size=1,
        global_rank=0,
        state=SimpleNamespace(fn=stage),
        datamodule=SimpleNamespace(statistics_batches=lambda: iter(batches)),
    )


def test_statistics_are_those_of_training_patterns_without_dropout() -> None:
    batches = [{"photons": 3 + 2 * torch.randn(8, 2, 16, 16)} for _ in range(5)]
    network = Network().train()
    for batch in batches:
        network(batch)
    network.eval()
    RecalibrateBatchNorm(batches=3).on_validation_epoch_start(trainer(batches), network)
    used = torch.stack([batch["photons"] for batch in batches[:3]])
    torch.testing.assert_close(network.norm.running_mean, used.mean((0, 1, 3, 4)))
    torch.testing.assert_close(network.norm.running_var, used.var((1, 3, 4)).mean(0))
    assert network.norm.momentum == 0.1
    assert not network.norm.training


def test_evaluation_alone_leaves_the_statistics() -> None:
    network = Network().eval()
    before = network.norm.running_var.clone()
    batches = [{"photons": 5 * torch.randn(8, 2, 4, 4)}]
    RecalibrateBatchNorm().on_validation_epoch_start(trainer(batches, TrainerFn.VALIDATING), network)
    assert torch.equal(network.norm.running_var, before)
