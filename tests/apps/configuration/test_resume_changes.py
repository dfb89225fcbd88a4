"""Runs that are resumed under other settings: what of their state goes on, and what begins anew and says so."""

import math
import shutil
from pathlib import Path
from typing import Any, Final

import pytest
import pytorch_lightning as pl
import torch

from spi_lightning.apps.train import train
from spi_lightning.errors import UserError
from tests.apps.configuration.test_resume import from_command
from tests.apps.small_runs import NARROW, SIMULATED, SMALL, load

RATES: Final[list[float]] = []
EMA: Final = "+callbacks.ema={_target_: pytorch_lightning.callbacks.EMAWeightAveraging, decay: 0.9}"


class Rates(pl.Callback):
    """Learning rates of all steps."""

    def on_before_optimizer_step(self, trainer: pl.Trainer, module: pl.LightningModule, optimizer: Any) -> None:
        RATES.append(optimizer.param_groups[0]["lr"])


def begun(folder: Path, *words: str) -> Path:
    with from_command(folder, *SMALL, *NARROW, *SIMULATED, "trainer.max_epochs=1", *words) as cfg:
        train(cfg)
    return folder


@pytest.fixture(scope="module")
def short_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``run``, trained for an epoch of five steps, and the ``cache`` of its patterns."""
    return begun(tmp_path_factory.mktemp("short"))


def resumed(tmp_path: Path, begun: Path, *words: str, epochs: int = 2) -> dict[str, Any]:
    """Last checkpoint of a copy of a run that is resumed with further words."""
    shutil.copytree(begun, tmp_path, dirs_exist_ok=True)
    rates = "+callbacks.rates={_target_: tests.apps.configuration.test_resume_changes.Rates}"
    RATES.clear()
    command = (f"resume={tmp_path / 'run'}", "trust=tests", rates, f"trainer.max_epochs={epochs}", *words)
    with from_command(tmp_path, *command) as cfg:
        train(cfg)
    return load(tmp_path / "run/checkpoints/last.ckpt")


def steps_of(checkpoint: dict[str, Any]) -> set[float]:
    return {float(state["step"]) for state in checkpoint["optimizer_states"][0]["state"].values()}


def test_another_rate_is_that_of_the_next_step_and_moments_go_on(tmp_path: Path, short_run: Path) -> None:
    last = resumed(tmp_path, short_run, "optimizer.lr=1e-4")
    assert RATES == [1e-4] * 5 and steps_of(last) == {10}
    assert last["config"]["task"]["optimizer"]["lr"] == 1e-4 == last["config"]["optimizer"]["lr"]


def test_a_group_may_be_named_with_its_values(tmp_path: Path, short_run: Path) -> None:
    last = resumed(tmp_path, short_run, "optimizer=adam", "optimizer.lr=1e-4", "optimizer.betas=[0.8,0.99]")
    assert RATES == [1e-4] * 5 and last["optimizer_states"][0]["param_groups"][0]["betas"] == (0.8, 0.99)


def test_another_schedule_stands_where_the_run_does(tmp_path: Path, short_run: Path) -> None:
    resumed(tmp_path, short_run, "schedule=cosine", "optimizer.lr=2e-3", epochs=3)
    assert pytest.approx([1e-3 * (1 + math.cos(math.pi * step / 15)) for step in range(5, 15)]) == RATES


def test_a_finished_run_keeps_its_settings(tmp_path: Path, short_run: Path) -> None:
    shutil.copytree(short_run, tmp_path, dirs_exist_ok=True)
    files = ("config.yaml", "versions.json", "metrics.csv", "metrics.json")
    before = [(tmp_path / "run" / name).read_bytes() for name in files]
    with (
        from_command(tmp_path, f"resume={tmp_path / 'run'}", "schedule=cosine") as cfg,
        pytest.raises(UserError, match=r"nothing was trained: .*Not of that run: schedule"),
    ):
        train(cfg)
    assert [(tmp_path / "run" / name).read_bytes() for name in files] == before


def test_a_schedule_is_as_long_as_the_longer_training(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    run = begun(tmp_path / "first", "schedule=cosine")
    with caplog.at_level("INFO"):
        resumed(tmp_path / "second", run)
    assert pytest.approx([0.5e-3 * (1 + math.cos(math.pi * step / 10)) for step in range(5, 10)]) == RATES
    assert "schedule.T_max was 5, is 10" in caplog.text


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (("optimizer._target_=torch.optim.AdamW",), "AdamW"),
        (("optimizer=adam_sgd", "schedule=alternate_every"), "Alternating"),
    ],
)
def test_another_optimiser_starts_without_state_and_says_so(
    tmp_path: Path, short_run: Path, caplog: pytest.LogCaptureFixture, words: tuple[str, ...], name: str
) -> None:
    last = resumed(tmp_path, short_run, *words)
    state = last["optimizer_states"][0]
    counts = {float(each["step"]) for each in state.get("members", [state])[0]["state"].values()}
    assert counts == {5} and f"optimizer: {name} starts without the state of the one before" in caplog.text


def test_with_another_loss_the_best_checkpoint_counts_anew(
    tmp_path: Path, short_run: Path, caplog: pytest.LogCaptureFixture
) -> None:
    last = resumed(tmp_path, short_run, "loss=generalised_cross_entropy")
    best = load(tmp_path / "run/checkpoints/best.ckpt")
    assert best["global_step"] == last["global_step"] == 10 and steps_of(last) == {10}
    assert "best.ckpt and early stops count from here on" in caplog.text


def test_data_may_change_with_a_note(tmp_path: Path, short_run: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        last = resumed(tmp_path, short_run, "data.batch_size=20", "data.patterns.val=16")
    assert last["global_step"] == 7 and "data.batch_size was 8, is 20" in caplog.text
    assert "data.patterns.val was 24, is 16" in caplog.text and "count from here on" in caplog.text


def test_another_preprocessing_is_fitted_anew(tmp_path: Path, short_run: Path) -> None:
    last = resumed(tmp_path, short_run, "preprocess.standardise=scalar", "preprocess.scale=log")
    assert last["state_dict"]["preprocess.mean"].abs() > 0


def test_averaging_ends_and_its_settings_change(tmp_path: Path) -> None:
    run = begun(tmp_path / "first", EMA)
    trained = load(run / "run/checkpoints/last.ckpt")["current_model_state"]
    last = resumed(tmp_path / "other", run, "callbacks.ema.decay=0.5")
    assert last["config"]["callbacks"]["ema"]["decay"] == 0.5 and "current_model_state" in last
    last = resumed(tmp_path / "ended", run, "callbacks.ema=null", "optimizer.lr=0")
    assert last["config"]["callbacks"]["ema"] is None and "current_model_state" not in last
    weights = {name: value for name, value in last["state_dict"].items() if name.endswith("weight")}
    assert weights and all(torch.equal(value, trained[name]) for name, value in weights.items())


def test_weights_that_do_not_fit_are_one_line(tmp_path: Path, short_run: Path) -> None:
    with pytest.raises(
        UserError, match=r"do not fit, since network\.widths was \[4, 8\], is \[8, 16\]; .*size mismatch"
    ):
        resumed(tmp_path, short_run, "network.widths=[8,16]")
    assert load(tmp_path / "run/checkpoints/last.ckpt")["global_step"] == 5
