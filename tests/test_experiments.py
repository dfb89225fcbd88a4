"""Every experiment in conf/ composes, and trains two steps on a few tiny simulated patterns."""

import json
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf, open_dict

from spi_lightning.apps.train import train
from spi_lightning.settings import setting
from tests.apps.small_runs import CONF, small_config, structure_tables

EXPERIMENTS = sorted(path.stem for path in (CONF / "experiment").glob("*.yaml"))
GROUPS = ("network", "preprocess", "loss", "metric", "optimizer", "tracking", "trainer")
NEEDS_A_CHECKPOINT = {"finetune", "han_vgg16_head", "han_vgg16_finetune", "bellisario_density_measured"}
NEEDS_A_FILE = {"wu_transfer", "wu_untrained"}  # tests/tasks/test_refinement.py


@pytest.mark.parametrize("experiment", [name for name in EXPERIMENTS if name not in NEEDS_A_CHECKPOINT | NEEDS_A_FILE])
def test_experiment_takes_two_steps(experiment: str, tmp_path: Path) -> None:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("train", overrides=[f"experiment={experiment}", f"folder={tmp_path}", "tracking=disabled"])
    shrink(cfg, tmp_path)
    train(cfg)
    numbers = json.loads((tmp_path / "metrics.json").read_text())
    measured = numbers[f"test/{instantiate(cfg.task, _convert_='all').displayed[0]}"]
    assert numbers["train/steps"] == 2 and 0 <= measured < 10


def test_a_density_network_trains_on_with_measured_patterns(tmp_path: Path) -> None:
    weights = []
    for name, more in (("bellisario_density", []), ("bellisario_density_measured", [f"checkpoint={tmp_path}/0"])):
        folder = tmp_path / str(len(weights))
        with initialize_config_dir(str(CONF), version_base="1.3"):
            cfg = compose("train", [f"experiment={name}", f"folder={folder}", "tracking=disabled", *more])
        shrink(cfg, tmp_path)
        train(cfg)
        weights.append(torch.load(folder / "checkpoints/last.ckpt", weights_only=True)["state_dict"])
    assert all(torch.isfinite(each).all() for each in weights[1].values())
    assert weights[0].keys() == weights[1].keys()


def shrink(cfg: DictConfig, tmp_path: Path) -> None:
    """Two steps of eight patterns; the detector and the preprocessing stay as they are, structures are tiny."""
    with open_dict(cfg):
        if "structures" in cfg.simulate:
            cfg.simulate.structures.path = str(structure_tables(tmp_path / "structures"))
        if setting(cfg.network, "latent"):
            cfg.network.update({"widths": [4, 6, 8], "latent": 8})
        if setting(cfg.simulate, "object_size"):  # particles in three dimensions
            cfg.network.update({"width": 2, "levels": 3})
            cfg.simulate.update({"size": 16, "object_size": 8})
        cfg.data.update({"batch_size": 8, "num_workers": 0, "workers": 1, "cache_dir": str(tmp_path / "cache")})
        cfg.data.patterns.update({"train": 16, "val": 8, "test": 8})
        cfg.simulate.block_size = max(8, setting(cfg.simulate, "patterns_per_model") or 1)
        cfg.trainer.update({"max_steps": 2, "max_epochs": -1, "enable_progress_bar": False, "val_check_interval": 1.0})
        cfg.callbacks.progress = None


ELSEWHERE = ("mlflow",)  # choices that need a package which is not installed with this one


@pytest.mark.parametrize("group", GROUPS)
def test_every_choice_of_a_group_can_be_built(group: str, tmp_path: Path) -> None:
    for choice in sorted(path.stem for path in (CONF / group).glob("*.yaml")):
        with initialize_config_dir(str(CONF), version_base="1.3"):
            cfg = compose("train", [f"folder={tmp_path}", *([] if group == "network" else [f"{group}={choice}"])])
        if group != "trainer" or choice in ("cpu", "ddp_cpu"):
            if choice in ELSEWHERE and find_spec(choice) is None:
                continue
            assert instantiate(cfg[group]) is not None, choice


def test_a_configuration_is_plain_once_resolved(tmp_path: Path) -> None:
    text = OmegaConf.to_yaml(small_config(tmp_path), resolve=True)
    assert "${" not in text and "???" not in text
