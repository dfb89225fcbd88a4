"""Callbacks and profilers of Lightning beside ours: a training with each ends, is resumed and does what it should."""

import json
from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from pytorch_lightning import Trainer

from spi_lightning.apps.train import train
from spi_lightning.tasks import load_task
from spi_lightning.tracking.loggers import read_rows
from tests.apps.small_runs import load, small_config

CALLBACKS = {
    "ema": "EMAWeightAveraging, decay: 0.9",
    "swa": "StochasticWeightAveraging, swa_lrs: 0.001, swa_epoch_start: 1",
    "learning_rate": "LearningRateMonitor",
    "device": "DeviceStatsMonitor",
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
    assert any("cpu_percent" in each for each in names) == (name == "device")
    if name == "ema":
        trained = after["current_model_state"]
        assert any(not torch.equal(value, trained[key]) for key, value in after["state_dict"].items())


EMA = f"+callbacks.ema={{_target_: pytorch_lightning.callbacks.{CALLBACKS['ema']}}}"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("standardise", ["scalar", "pixel"])
def test_averaged_weights_keep_the_preprocessing_and_the_calibration_of_their_validation(
    tmp_path: Path, standardise: str
) -> None:
    train(small_config(tmp_path, EMA, f"preprocess.standardise={standardise}", "trainer.max_epochs=2"))
    best = tmp_path / "run/checkpoints/best.ckpt"
    stored = load(best)["state_dict"]
    assert stored["preprocess.mean"].abs().sum() > 0
    task, config = load_task(best, instantiate)
    data = instantiate(config["data"], _convert_="all")
    (again,) = Trainer(logger=False, enable_progress_bar=False, accelerator="cpu").validate(task, data, verbose=False)
    numbers = json.loads((tmp_path / "run/metrics.json").read_text())
    assert again["val/loss"] == pytest.approx(numbers["val/loss"], rel=1e-6)
    for name, buffer in task.named_buffers():  # determined anew by this validation
        if name == "temperature" or name.startswith("domain."):
            torch.testing.assert_close(buffer, stored[name])


@pytest.mark.filterwarnings("ignore")
def test_batch_statistics_in_the_checkpoint_are_those_of_the_averaged_weights(tmp_path: Path) -> None:
    train(small_config(tmp_path, EMA, "trainer.max_epochs=1"))
    task, config = load_task(tmp_path / "run/checkpoints/last.ckpt", instantiate)
    data = instantiate(config["data"], _convert_="all")
    data.setup("fit")
    stored = {name: buffer.clone() for name, buffer in task.named_buffers() if "running" in name}
    for norm in (each for each in task.modules() if isinstance(each, torch.nn.modules.batchnorm._BatchNorm)):
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    with torch.no_grad():
        for batch in data.statistics_batches():
            task(batch)
    assert stored
    for name, buffer in task.named_buffers():
        if name in stored:
            torch.testing.assert_close(buffer, stored[name], rtol=1e-4, atol=1e-6)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["SimpleProfiler", "AdvancedProfiler"])
def test_profilers_write_into_the_run_folder(tmp_path: Path, name: str) -> None:
    profiler = f"{{_target_: pytorch_lightning.profilers.{name}, dirpath: {tmp_path}/run, filename: times}}"
    train(small_config(tmp_path, f"+trainer.profiler={profiler}", "trainer.max_epochs=1"))
    assert "run_training_epoch" in (tmp_path / "run" / "fit-times.txt").read_text()
