"""From a run to weights in the package: a support network of seconds, taken by its name wherever a run is."""

import shlex
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import OmegaConf

from benchmarks import ship_weights
from spi_lightning import load
from spi_lightning.errors import UserError
from spi_lightning.methods import SupportCheckpoint
from spi_lightning.tasks import SupportPrediction, load_task, read_checkpoint
from spi_lightning.weights import read_card
from tests.apps.small_runs import CONF
from tests.test_experiments import shrink
from tests.weights.shelf import empty_shelf

RECIPE = {
    "stages": ["experiment=bellisario_support"],
    "seeds": [0],
    "half": True,
    "objective": "least area",
    "summary": "Supports.",
    "input": "Intensities.",
    "data": "Clouds of atoms.",
    "domain": ["Clouds."],
    "failures": ["Rods."],
    "licence": "BSD-3-Clause",
}


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty shelf of weights."""
    monkeypatch.setattr(torch, "set_num_threads", lambda number: None)
    return empty_shelf(tmp_path / "weights", monkeypatch)


def untrained(tmp_path: Path, experiment: str) -> Path:
    """Checkpoint of a small untrained network of an experiment, with the configuration of its run."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("train", [f"experiment={experiment}", f"folder={tmp_path}", "tracking=disabled"])
    shrink(cfg, tmp_path)
    config = OmegaConf.to_container(cfg, resolve=True)
    torch.manual_seed(0)
    path = tmp_path / "run.ckpt"
    torch.save({"state_dict": instantiate(config["task"]).state_dict(), "config": config}, path)
    return path


@pytest.fixture
def run(tmp_path: Path, shelf: Path) -> Path:
    """Checkpoint of a support network, and an empty shelf."""
    return untrained(tmp_path, "bellisario_support")


@pytest.mark.parametrize(
    ("experiment", "measure", "threshold"),
    [
        ("han_resnet10", "auroc", 0.5),
        ("bellisario_density", "correlation", None),
        ("bellisario_healing", "gap_error", None),
        ("wu_supervised", "eq_6_either_twin", None),
    ],
)
def test_networks_of_every_kind_become_weights(
    experiment: str, measure: str, threshold: float | None, tmp_path: Path, shelf: Path
) -> None:
    ship_weights.make("other", RECIPE, [untrained(tmp_path, experiment)])
    made = read_card("other")
    assert measure in {result.measure for result in made.results}
    assert made.threshold == threshold or experiment == "bellisario_density"
    assert read_checkpoint("other")["config"]["name"] == experiment


def test_a_run_becomes_weights_that_are_taken_by_their_name(run: Path) -> None:
    ship_weights.make("small", RECIPE, [run])
    made = read_card("small")
    made.require_whole()
    covered = next(result for result in made.results if result.measure == "covered")
    assert covered.interval is not None and covered.data == "8 simulated test patterns of bellisario_support"
    assert made.commands[0] == "spi train experiment=bellisario_support seed=0 out=runs/weights/small_seed0"
    assert made.objective == "val/false_positives: least area"
    task, _ = load_task("small", instantiate, SupportPrediction)
    assert made.threshold == pytest.approx(float(task.threshold), abs=1e-4) != 0.1
    stored = read_checkpoint("small")["config"]
    assert "cache_dir" not in stored["data"] and "folder" not in stored
    patterns = np.random.default_rng(0).random((2, 64, 64)).astype(np.float32)
    assert load("small").predict(patterns).shape == (2, 64, 64)
    method = SupportCheckpoint(name="small", checkpoint=Path("small"), instantiate=instantiate)
    assert method.checkpoint == made.path


def test_float16_is_taken_where_it_changes_no_number(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for error, half in ((0.001, True), (0.1, False)):
        values = iter([{"iou": 0.5, "iou/low": 0.4, "iou/high": 0.6}, {"iou": 0.5 + error, "iou/low": 0.4}])
        monkeypatch.setattr(ship_weights, "held_out_numbers", lambda *a, values=values, **k: next(values))
        ship_weights.make("small", RECIPE, [run])
        assert (b'"dtype":"F16"' in read_card("small").path.read_bytes()) == half


def test_a_run_of_another_command_is_refused(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["experiment=bellisario_support", "trainer.max_steps=10", "seed=3"]
    monkeypatch.setattr(ship_weights, "recorded_overrides", lambda run: words)
    with pytest.raises(UserError, match=r"trainer\.max_steps=10 is in its command or in the recipe"):
        ship_weights.make("small", RECIPE, [run])


def test_later_stages_start_from_earlier_ones() -> None:
    recipe = {**RECIPE, "stages": ["experiment=bellisario_density", "experiment=bellisario_density_measured"]}
    first, second = ship_weights._commands("density", recipe, 1)
    assert first.endswith("seed=0 out=runs/weights/density_seed0_stage1")
    assert "checkpoint=runs/weights/density_seed0_stage1 seed=0 out=runs/weights/density_seed0" in second


@pytest.mark.parametrize("path", sorted(ship_weights.RECIPES.glob("*.yaml")), ids=lambda path: path.stem)
def test_recipes_compose(path: Path) -> None:
    recipe = OmegaConf.to_container(OmegaConf.load(path))
    for stage in recipe["stages"]:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            compose("train", [*shlex.split(stage), "checkpoint=RUN"])
    assert all(
        recipe[key] for key in ("seeds", "objective", "summary", "input", "data", "domain", "failures", "licence")
    )
