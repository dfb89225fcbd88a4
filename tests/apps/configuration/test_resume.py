"""A run taken up anywhere ends where the uninterrupted one ends, bit for bit."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf, open_dict

from spi_lightning.apps.configuration.plain_words import quoted
from spi_lightning.apps.configuration.resume import resumed_settings
from spi_lightning.apps.train import train
from spi_lightning.errors import UserError
from spi_lightning.tracking.resumed_run import writing_to
from tests.apps.small_runs import CONF, NARROW, SIMULATED, SMALL, load, small_config

RECIPE = ("data.augment=dihedral", "schedule=cosine", "schedule.T_max=15", "callbacks.often.every_n_train_steps=1")


class PowerCutError(RuntimeError):
    """What ends a run in its middle."""


class Crash(pl.Callback):
    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_start(self, trainer: pl.Trainer, *_: Any) -> None:
        if trainer.global_step == self.step:
            raise PowerCutError


@contextmanager
def from_command(tmp_path: Path, *words: str) -> Iterator[DictConfig]:
    """The configuration as hydra.main gives it to train, which sees the words, too."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        position = (f"folder={tmp_path / 'run'}", f"data.cache_dir={tmp_path / 'cache'}")
        cfg = compose("train", overrides=[*position, *words], return_hydra_config=True)
        cfg.hydra.job.config_name = "train"
        HydraConfig.instance().set_config(cfg)
        with open_dict(cfg):
            del cfg["hydra"]
        try:
            yield cfg
        finally:
            HydraConfig.instance().cfg = None


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
        crash = f"{{_target_: tests.apps.configuration.test_resume.Crash, step: {step}}}"
        with pytest.raises(PowerCutError):
            train(small_config(tmp_path, *RECIPE, *source, f"+callbacks.crash={crash}", name=name))
        train(small_config(tmp_path, *RECIPE, *source, f"resume={tmp_path / name}", "trust=tests", name=name))
        for checkpoint in ("last", "best"):
            whole, resumed = (load(tmp_path / run / f"checkpoints/{checkpoint}.ckpt") for run in ("run", name))
            for part in ("state_dict", "optimizer_states", "lr_schedulers", "global_step", "epoch"):
                assert equal(whole[part], resumed[part]), (step, checkpoint, part)
        assert numbers(tmp_path / "run") == numbers(tmp_path / name), step
        assert last_training_loss(tmp_path / "run") == last_training_loss(tmp_path / name), step


def test_a_run_goes_on_with_its_own_settings_and_what_the_command_says_besides(tmp_path: Path) -> None:
    first, again = ("optimizer.lr=0.004", "seed=3"), ("trainer.max_epochs=5",)
    with from_command(tmp_path, *SMALL, *NARROW, *SIMULATED, *first) as cfg:
        train(cfg)
    own = OmegaConf.load(tmp_path / "run/config.yaml")
    with from_command(tmp_path, f"resume={tmp_path / 'run'}", *again) as cfg:
        train(cfg)
    resumed = OmegaConf.load(tmp_path / "run/config.yaml")
    assert resumed.trainer.max_epochs == 5 and own.trainer.max_epochs == 3
    for key in ("task", "data", "seed", "network", "preprocess", "callbacks"):
        assert OmegaConf.select(resumed, key) == OmegaConf.select(own, key), key
    assert json.loads((tmp_path / "run/metrics.json").read_text())["train/steps"] == 25
    words = json.loads((tmp_path / "run/versions.json").read_text())["overrides"]
    assert {"seed=3", "optimizer.lr=0.004", "trainer.max_epochs=5"} <= set(words)
    train(small_config(tmp_path, *first, "trainer.max_epochs=5", name="whole"))
    whole, taken_up = (load(tmp_path / name / "checkpoints/last.ckpt")["state_dict"] for name in ("whole", "run"))
    assert equal(whole, taken_up)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("network=tiny_cnn", r"network is ResNet10 in that run and TinyCNN here, but its weights are of that network"),
        ("task=support_prediction", r"task is HitClassification in that run and SupportPrediction here, but its state"),
        ("optimizer.lrr=1", r"optimizer\.lrr is not a setting here; did you mean optimizer\.lr\?"),
        ("callbacks.emma=null", r"callbacks\.emma is not a setting here"),
        ("optimzer.lr=1", r"optimzer\.lr is not a setting here"),
    ],
)
def test_a_run_is_not_taken_up_as_another_one(tmp_path: Path, words: str, message: str) -> None:
    (tmp_path / "run/checkpoints").mkdir(parents=True)
    stored = OmegaConf.to_container(small_config(tmp_path), resolve=True)
    torch.save({"state_dict": {}, "config": stored}, tmp_path / "run/checkpoints/last.ckpt")
    with pytest.raises(UserError, match=message), from_command(tmp_path, f"resume={tmp_path / 'run'}", words) as cfg:
        train(cfg)
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["checkpoints"]


@pytest.mark.parametrize(
    "change",
    [
        "+callbacks.x={_target_: os.getcwd}",
        "+callbacks.x={_target_: hydra.utils.get_method, path: os.getcwd}",
        "+data.x=[[{_target_: os.getcwd}]]",
        "callbacks.best.filename=../../x",
        "callbacks.best.filename=/tmp/x",
        "+trainer.profiler={_target_: os.getcwd}",
        "+secret='\\${oc.env:HOME}'",
        "+secret='\\\\\\${oc.create:{_target_: os.getcwd}}'",
    ],
)
def test_a_foreign_run_starts_no_code(tmp_path: Path, change: str) -> None:
    (tmp_path / "run/checkpoints").mkdir(parents=True)
    stored = OmegaConf.to_container(small_config(tmp_path, change), resolve=True)
    torch.save({"state_dict": {}, "config": stored}, tmp_path / "run/checkpoints/last.ckpt")
    refused = pytest.raises(UserError, match=r"last\.ckpt: refused, its configuration (calls|writes to|holds)")
    with refused, from_command(tmp_path, f"resume={tmp_path / 'run'}") as cfg:
        train(cfg)
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["checkpoints"]


def test_a_foreign_run_writes_nowhere_else(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with from_command(tmp_path, *SMALL, *NARROW, *SIMULATED) as cfg:
        train(cfg)
    last, outside = tmp_path / "run/checkpoints/last.ckpt", tmp_path / "outside"
    checkpoint = load(last)
    config = checkpoint["config"]
    elsewhere = {"artifact_location": f"{outside}/mlruns", "tracking_uri": "http://elsewhere"}
    stored = {"mlflow": elsewhere, "tensorboard": {"save_dir": str(outside)}}
    moved = writing_to(str(tmp_path / "run"), "", stored)
    run = tmp_path / "run"
    assert moved["mlflow"] == {"artifact_location": f"{run}/mlruns", "tracking_uri": f"sqlite:///{run}/mlflow.db"}
    assert moved["tensorboard"] == {"save_dir": f"{tmp_path}/run"}
    config["data"]["cache_dir"] = config["folder"] = config["trainer"]["default_root_dir"] = str(outside)
    for name in ("best", "last", "often"):
        config["callbacks"][name]["dirpath"] = str(outside / name)
    keepsake = tmp_path / "keepsake"
    keepsake.mkdir()
    for key, state in checkpoint["callbacks"].items():
        if key.startswith("ModelCheckpoint"):  # Lightning removes the checkpoint before by this path
            state |= {"dirpath": str(tmp_path / "run/checkpoints"), "kth_best_model_path": f"local://{keepsake}"}
            state |= {"best_k_models": {f"local://{keepsake}": torch.tensor(99.0)}}
    torch.save(checkpoint, last)
    words = json.loads((tmp_path / "run/versions.json").read_text())
    words["overrides"] += ["+secret=${oc.env:HOME}${trainer.max_epochs}", "hydra.searchpath=[pkg://antigravity]"]
    (tmp_path / "run/versions.json").write_text(json.dumps(words))
    with caplog.at_level("INFO"), from_command(tmp_path, f"resume={tmp_path / 'run'}", "trainer.max_epochs=4") as cfg:
        train(cfg)
    assert not outside.exists() and keepsake.is_dir() and load(last)["epoch"] == 4 - 1
    assert f"cache_dir={outside} of the checkpoint is not taken: {tmp_path / 'cache'}" in caplog.text
    assert "secret" not in (tmp_path / "run/config.yaml").read_text()


def _no_loops(checkpoint: dict[str, Any]) -> None:
    checkpoint["loops"]["fit_loop"] = [1]


def _text_for_steps(checkpoint: dict[str, Any]) -> None:
    checkpoint["global_step"] = "many"


def _no_progress(checkpoint: dict[str, Any]) -> None:
    del checkpoint["loops"]["fit_loop"]["epoch_progress"]


def _no_optimiser(checkpoint: dict[str, Any]) -> None:
    checkpoint["optimizer_states"] = []


def _other_moments(checkpoint: dict[str, Any]) -> None:
    for state in checkpoint["optimizer_states"][0]["state"].values():
        state["exp_avg"] = torch.zeros(7)


def _text_for_callbacks(checkpoint: dict[str, Any]) -> None:
    checkpoint["callbacks"] = "none"


@pytest.mark.parametrize(
    "change", [_no_loops, _text_for_steps, _no_progress, _no_optimiser, _other_moments, _text_for_callbacks]
)
def test_a_state_that_does_not_fit_is_refused_and_the_run_stays(
    tmp_path: Path, short_run: Path, change: Callable[[dict[str, Any]], None]
) -> None:
    shutil.copytree(short_run, tmp_path, dirs_exist_ok=True)
    run = tmp_path / "run"
    checkpoint = torch.load(run / "checkpoints/last.ckpt", weights_only=True)
    change(checkpoint)
    torch.save(checkpoint, run / "checkpoints/last.ckpt")
    before = {name: (run / name).read_bytes() for name in ("config.yaml", "versions.json", "metrics.csv")}
    words = ("trainer.max_epochs=2", f"resume={run}")
    with pytest.raises(UserError, match="the state of the training in it cannot be taken up"):
        train(small_config(tmp_path, *words))
    assert before == {name: (run / name).read_bytes() for name in before}


def test_a_checkpoint_without_the_data_of_its_run_is_refused(tmp_path: Path, short_run: Path) -> None:
    checkpoint = torch.load(short_run / "run/checkpoints/last.ckpt", weights_only=True)
    checkpoint["config"]["data"] = None
    torch.save(checkpoint, tmp_path / "odd.ckpt")
    with pytest.raises(UserError, match="has no settings of data"):
        train(small_config(tmp_path, f"resume={tmp_path / 'odd.ckpt'}"))


@pytest.mark.parametrize(
    "words",
    [5, "abc", [["a"], {"b": 1}, "+", "a b", "==="], ["experiment=of_an_earlier_release"], ["no_such.setting=1"]],
)
def test_words_that_mean_nothing_any_more_do_not_end_a_run(tmp_path: Path, short_run: Path, words: object) -> None:
    run, copy = short_run / "run", tmp_path / "it's, a copy"
    shutil.copytree(run, copy)
    (copy / "versions.json").write_text(json.dumps({"overrides": words}))
    resume = f"resume={quoted(str(copy))}"
    with from_command(tmp_path, resume, "trainer.max_epochs=2") as cfg:
        settings = resumed_settings(cfg)
    assert settings.trainer.max_epochs == 2
    assert settings.data.batch_size == 8 and settings.network.widths == [4, 8]  # its own


@pytest.mark.parametrize(("word", "warned"), [("trainer.max_epochs=2", 0), ("+loss.slope=0.1", 1)])
def test_a_choice_that_is_not_there_is_left_out_and_named_where_it_matters(
    tmp_path: Path, short_run: Path, caplog: pytest.LogCaptureFixture, word: str, warned: int
) -> None:
    shutil.copytree(short_run / "run", copy := tmp_path / "copy")
    (copy / "versions.json").write_text(json.dumps({"overrides": ["loss=of_a_lab", "loss.slope=2", "name=n"]}))
    with from_command(tmp_path, f"resume={copy}", word) as cfg, suppress(UserError):  # a loss stays what it was
        resumed_settings(cfg)
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == warned
    assert all("(loss/of_a_lab is not in conf/ or hydra.searchpath)" in line for line in warnings)


@pytest.fixture(scope="module")
def short_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``run``, trained for an epoch, and the ``cache`` of its patterns."""
    folder = tmp_path_factory.mktemp("short")
    train(small_config(folder, "trainer.max_epochs=1"))
    return folder
