from pathlib import Path

import pytest

from spi_lightning.fields import UserError
from spi_lightning.tracking import Tracking


def test_csv_is_always_written_and_a_resumed_run_adds_to_it(tmp_path: Path) -> None:
    for step, extra in ((1, {}), (2, {"val/auroc": 0.9})):
        (logger,) = Tracking(wandb="disabled").loggers(tmp_path, "run", {})
        logger.log_metrics({"train/loss": 1 / step, **extra}, step)
        Tracking(wandb="disabled").finish([logger], {})
    lines = (tmp_path / "metrics.csv").read_text().split()
    assert lines == ["step,train/loss,val/auroc", "1,1.0,", "2,0.5,0.9"]


def test_tensorboard_by_one_word(tmp_path: Path) -> None:
    loggers = Tracking(wandb="disabled", tensorboard=True).loggers(tmp_path, "run", {})
    for logger in loggers:
        logger.log_metrics({"train/loss": 1.0}, 1)
    Tracking(wandb="disabled").finish(loggers, {})
    assert list((tmp_path / "tensorboard").glob("events*"))


def test_offline_runs_can_be_sent_later(tmp_path: Path) -> None:
    tracking = Tracking(wandb="offline")
    loggers = tracking.loggers(tmp_path, "run", {"seed": 1})
    loggers[-1].log_metrics({"train/loss": 1.0}, 1)
    tracking.finish(loggers, {"test/auroc": 0.9})
    assert list((tmp_path / "wandb").glob("offline-run-*/run-*.wandb"))


def test_unknown_modes_list_the_choices() -> None:
    with pytest.raises(UserError, match="disabled, offline, online"):
        Tracking(wandb="sometimes")
