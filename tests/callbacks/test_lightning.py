"""Callbacks and profilers of Lightning beside ours: a training with each ends, is resumed and does what it should."""

from pathlib import Path

import pytest
import torch

from spi_lightning.apps.train import train
from spi_lightning.tracking.loggers import read_rows
from tests.apps.small_runs import load, small_config

CALLBACKS = {
    "ema": "EMAWeightAveraging, decay: 0.9",
    "swa": "StochasticWeightAveraging, swa_lrs: 0.001, swa_epoch_start: 1",
    "learning_rate": "LearningRateMonitor",
    "device": "DeviceStatsMonitor, cpu_stats: false",
    "summary": "ModelSummary",
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CALLBACKS)
def test_a_run_with_a_callback_of_lightning_ends_and_goes_on(name: str, tmp_path: Path) -> None:
    word = f"+callbacks.theirs={{_target_: pytorch_lightning.callbacks.{CALLBACKS[name]}}}"
    folder = tmp_path / "run"
    train(small_config(tmp_path, word, "trainer.max_epochs=2"))
    before = load(folder / "checkpoints/last.ckpt")
    train(small_config(tmp_path, word, f"resume={folder}", "trainer.max_epochs=3"))
    after = load(folder / "checkpoints/last.ckpt")
    assert after["global_step"] > before["global_step"]
    names, rows = read_rows(folder / "metrics.csv")
    assert any(each.startswith("lr-Adam") for each in names) == (name == "learning_rate")
    assert {"0", "1", "2"} <= {row["epoch"] for row in rows}
    if name == "ema":
        trained = after["current_model_state"]
        assert any(not torch.equal(value, trained[key]) for key, value in after["state_dict"].items())


@pytest.mark.filterwarnings("ignore")
def test_profilers_write_into_the_run_folder(tmp_path: Path) -> None:
    profiler = f"{{_target_: pytorch_lightning.profilers.SimpleProfiler, dirpath: {tmp_path}/run, filename: times}}"
    train(small_config(tmp_path, f"+trainer.profiler={profiler}", "trainer.max_epochs=1"))
    assert "run_training_epoch" in (tmp_path / "run" / "fit-times.txt").read_text()
