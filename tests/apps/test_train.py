"""The recipe end to end on runs of seconds: what it leaves, what it returns, and how it meets mistakes."""

import csv
import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
import yaml
from hydra.utils import instantiate
from pytorch_lightning import Trainer

from spi_lightning.apps.train import resolve_length, starting_weights, train
from spi_lightning.callbacks.validation import ended_before
from spi_lightning.errors import UserError
from spi_lightning.tasks import load_task
from tests.apps.small_runs import load, small_config


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    """A run folder and what train returned."""
    folder = tmp_path_factory.mktemp("finished")
    return folder / "run", train(small_config(folder, "preprocess.standardise=pixel"))


def test_a_run_folder_holds_settings_versions_numbers_and_checkpoints(finished: tuple[Path, float]) -> None:
    folder, objective = finished
    config = yaml.safe_load((folder / "config.yaml").read_text())
    assert config["task"]["network"]["widths"] == [4, 8] and config["seed"] == 0
    assert "torch" in json.loads((folder / "versions.json").read_text())["packages"]
    numbers = json.loads((folder / "metrics.json").read_text())
    for name in (
        "accuracy",
        "auroc",
        "average_precision",
        "false_positive_rate",
        "fpr_at_90_recall",
        "calibration_error",
    ):
        assert 0 <= numbers[f"test/{name}"] <= 1
    assert numbers["test/frames"] == 16 and numbers["train/steps"] == 15
    assert objective == numbers["val/auroc"]
    with (folder / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert sum(bool(row["val/loss"]) for row in rows) == sum(bool(row["train/loss"]) for row in rows) == 3
    assert {path.stem for path in (folder / "figures").iterdir()} >= {"loss", "ranking"}
    assert not list(folder.rglob("*.part"))


@pytest.mark.parametrize("name", ["best", "last"])
def test_checkpoints_carry_config_preprocessing_and_a_fitted_temperature(
    finished: tuple[Path, float], name: str
) -> None:
    checkpoint = load(finished[0] / f"checkpoints/{name}.ckpt")
    assert checkpoint["config"] == yaml.safe_load((finished[0] / "config.yaml").read_text())
    assert checkpoint["state_dict"]["temperature"] != 1
    task, _ = load_task(finished[0] / f"checkpoints/{name}.ckpt", instantiate)
    assert task.preprocess.mean.shape == (32, 32) and not task.preprocess.needs_fit


def test_the_last_steps_are_validated_and_saved(tmp_path: Path) -> None:
    train(small_config(tmp_path, "trainer.max_steps=7", "trainer.max_epochs=-1"))
    last = load(tmp_path / "run/checkpoints/last.ckpt")
    assert last["global_step"] == 7
    rows = (tmp_path / "run/metrics.csv").read_text().splitlines()
    assert sum(row.startswith(("0,", "1,")) for row in rows) >= 2


def test_a_run_that_is_never_validated_ends_with_its_last_weights(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="last weights"):
        train(small_config(tmp_path, "trainer.check_val_every_n_epoch=7", "trainer.max_epochs=2"))
    assert (tmp_path / "run/checkpoints/best.ckpt").is_file()


def test_the_same_seed_gives_the_same_run_and_another_does_not(tmp_path: Path) -> None:
    quick = ("trainer.max_epochs=1", "data.seed=0")
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        train(small_config(tmp_path, *quick, f"seed={seed}", name=name))
    a, b, c = (load(tmp_path / name / "checkpoints/last.ckpt")["state_dict"]["network.head.weight"] for name in "abc")
    assert torch.equal(a, b) and not torch.equal(a, c)


def test_five_kinds(tmp_path: Path) -> None:
    train(small_config(tmp_path, "task.classes=5", "loss=cross_entropy", "objective=val/kind_accuracy"))
    numbers = json.loads((tmp_path / "run/metrics.json").read_text())
    assert sum(map(sum, numbers["test/kind_confusion"])) == 16
    assert "test/auroc" in numbers  # single against the rest


def test_a_trained_network_is_tuned_on_a_few_labelled_frames(finished: tuple[Path, float], tmp_path: Path) -> None:
    frames = sorted((finished[0].parent / "cache").glob("*.cxi"))[0]
    start = load(finished[0] / "checkpoints/best.ckpt")["state_dict"]
    changes = (f"checkpoint={finished[0]}", f"data.path={frames}", "trainer.max_epochs=2")
    train(small_config(tmp_path, "experiment=finetune", *changes, simulated=False))
    tuned = load(tmp_path / "run/checkpoints/last.ckpt")
    assert torch.equal(tuned["state_dict"]["preprocess.mean"], start["preprocess.mean"])
    moved = (tuned["state_dict"]["network.head.weight"] - start["network.head.weight"]).abs().max()
    assert 0 < moved < 0.01  # a small learning rate from the weights it was given
    assert tuned["config"]["task"]["network"]["widths"] == [4, 8]


def test_patterns_of_another_detector_are_binned_for_a_checkpoint_as_the_command_says(
    finished: tuple[Path, float], tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    with h5py.File(tmp_path / "mine.h5", "w") as file:
        file["frames"] = rng.poisson(0.3, (20, 97, 131)).astype(np.uint16)
        file["labels"] = np.arange(20) % 2
    keys = (f"data.path={tmp_path / 'mine.h5'}", "data.keys.photons=frames", "data.keys.label=labels")
    words = ["preprocess.bin=3", "preprocess.crop=96"]
    cfg = small_config(tmp_path, "experiment=finetune", f"checkpoint={finished[0]}", *keys, *words, simulated=False)
    starting_weights(cfg, words)
    assert (cfg.preprocess.bin, cfg.preprocess.crop) == (3, 96)
    starting_weights(cfg, ["seed=1"])
    assert (cfg.preprocess.bin, cfg.preprocess.crop) == (1, None)


def test_the_beam_of_measured_frames_is_kept_for_the_evaluation_of_a_simulated_training(tmp_path: Path) -> None:
    quick, words = ("trainer.max_epochs=1", "preprocess.crop=16"), ["preprocess.beam_centre=[5,7]"]
    train(small_config(tmp_path, *quick, name="middle"))
    train(small_config(tmp_path, *quick, *words, name="beam"))
    middle, beam = (load(tmp_path / name / "checkpoints/last.ckpt") for name in ("middle", "beam"))
    assert torch.equal(middle["state_dict"]["network.head.weight"], beam["state_dict"]["network.head.weight"])
    assert beam["config"]["task"]["preprocess"]["beam_centre"] == [5, 7]
    frames = sorted((tmp_path / "cache").glob("*.cxi"))[0]
    tuning = ("experiment=finetune", f"checkpoint={tmp_path / 'beam'}", f"data.path={frames}")
    cfg = small_config(tmp_path, *tuning, *words, simulated=False)
    starting_weights(cfg, words)
    assert cfg.preprocess.beam_centre == [5, 7]
    starting_weights(cfg, ["seed=1"])
    assert cfg.preprocess.beam_centre is None  # the other training's was of other frames


def test_steps_of_the_command_line_win_over_epochs_of_the_configuration(tmp_path: Path) -> None:
    for words, epochs in {
        ("trainer.max_steps=50",): -1,
        ("trainer.max_steps=50", "trainer.max_epochs=3"): 3,
        ("seed=1",): 20,
        ("trainer.max_steps=-1",): 20,
    }.items():
        cfg = small_config(tmp_path, "trainer.max_epochs=20", *words)
        resolve_length(cfg, words)
        assert cfg.trainer.max_epochs == epochs, words


def test_epochs_that_end_a_training_before_its_steps_are_named() -> None:
    trainer = Trainer(logger=False)
    assert ended_before(trainer, 3, 100) == "stopped after trainer.max_epochs=3, before trainer.max_steps=100"
    assert ended_before(trainer, -1, 100) is None
    assert ended_before(trainer, 3, -1) is None


def test_labels_of_one_class_are_refused_before_training(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "empty.h5", "w") as file:
        file["patterns"], file["labels"] = np.ones((20, 32, 32), dtype=np.uint16), np.zeros(20, dtype=np.int64)
    keys = (f"data.path={tmp_path / 'empty.h5'}", "data.keys.photons=patterns", "data.keys.label=labels")
    with pytest.raises(UserError, match=r"all 14 labels \(is_single_hit\) are 0 in the training split of .*empty\.h5"):
        train(small_config(tmp_path, "data=hits", *keys, simulated=False))
    assert not (tmp_path / "run/checkpoints").exists()


def test_mistakes_are_one_line(finished: tuple[Path, float], tmp_path: Path) -> None:
    cases = {
        ("objective=val/beauty", "trainer.max_epochs=1"): r"objective=val/beauty.*val/auroc",
        ("task.classes=5", "trainer.max_epochs=1"): r"set loss=cross_entropy",
        ("optimizer.lr=1e30",): r"step 2: the training loss is NaN or infinite",
        ("data.patterns.val=0",): r"validation split is empty",
        (f"resume={tmp_path}",): r"holds neither",
        (f"checkpoint={tmp_path}",): r"holds neither",
        (f"checkpoint={finished[0]}", "task._target_=torch.nn.Linear"): r"torch.nn.Linear starts from one of",
    }
    for number, (overrides, message) in enumerate(cases.items()):
        with pytest.raises(UserError, match=message):
            train(small_config(tmp_path, *overrides, name=f"run{number}"))


@pytest.mark.parametrize(
    ("mistake", "line"),
    [
        ("trainer.accelerator=nonsense", "trainer: .*nonsense"),
        ("data.path=nowhere.h5", "nowhere.h5: there is no such file"),
    ],
)
def test_a_mistake_leaves_no_logs_behind(tmp_path: Path, mistake: str, line: str) -> None:
    data = () if "trainer" in mistake else ("data=hits", "data.keys.label=labels")
    with pytest.raises(UserError, match=line):
        train(small_config(tmp_path, *data, mistake, "tracking=offline", simulated=not data))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("optimizer.lr=1e30",), r"step 2: the training loss is NaN or infinite.*lower optimizer\.lr"),
        (("optimizer.lr=1e30", "data.batch_size=40"), r"step 1: the validation loss is NaN or infinite"),
        (("optimizer.lr=1e45",), r"optimizer\.lr=1e\+45 is not a learning rate"),
        (("optimizer.lr=nan",), r"optimizer\.lr=nan is not a number"),
    ],
)
def test_a_training_that_diverges_ends_in_one_line_and_leaves_nothing(
    tmp_path: Path, words: tuple[str, ...], line: str
) -> None:
    with pytest.raises(UserError, match=line):
        train(small_config(tmp_path, *words))
    assert not list((tmp_path / "run").rglob("*.*"))


def test_nothing_starts_or_goes_on_from_weights_that_are_no_numbers(
    finished: tuple[Path, float], tmp_path: Path
) -> None:
    run = tmp_path / "broken"
    shutil.copytree(finished[0], run)
    for name in ("best", "last"):
        kept = load(run / f"checkpoints/{name}.ckpt")
        next(iter(kept["state_dict"].values())).view(-1)[0] = torch.nan
        torch.save(kept, run / f"checkpoints/{name}.ckpt")
    for word in ("checkpoint", "resume"):
        with pytest.raises(UserError, match=r"1 of \d+ weights are NaN or infinite, in .* first"):
            train(small_config(tmp_path, f"{word}={run}", name="new"))
    assert not (tmp_path / "new").exists()


def test_steps_that_are_no_number_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"trainer\.max_steps=many is not a whole number"):
        train(small_config(tmp_path, "trainer.max_steps=many"))
