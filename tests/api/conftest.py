"""Run folders of every task, with random weights, as train.py leaves them."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import OmegaConf

from spi_lightning.locations import CONF


@pytest.fixture
def save_run(tmp_path: Path) -> Callable[..., Path]:
    """A run folder for words of a training command: save_run("experiment=shi_tiny_cnn", "network.size=24")."""

    def save(*words: str, name: str = "run") -> Path:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            cfg = compose(
                "train", overrides=[word if word.startswith("experiment=") else f"++{word}" for word in words]
            )
        config = {"task": OmegaConf.to_container(cfg.task, resolve=True)}
        weights = instantiate(config["task"], _convert_="all").state_dict()
        path = tmp_path / "runs" / name / "checkpoints" / "best.ckpt"
        path.parent.mkdir(parents=True)
        torch.save({"state_dict": weights, "config": config}, path)
        return path.parents[1]

    return save
