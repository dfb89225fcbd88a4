"""Training runs of seconds: the real configuration over a small detector, few patterns and a narrow network."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

import spi_lightning.apps.process.entry  # noqa: F401  registers the resolvers of the configuration

CONF = Path(__file__).parents[2] / "conf"
SMALL = (
    "preprocess.bin=1",
    "data.batch_size=8",
    "tracking=disabled",
    "callbacks.progress=null",
    "+trainer.enable_progress_bar=false",
    "trainer.max_epochs=3",
)
SIMULATED = ("simulate.shape=[32,32]", "simulate.block_size=16", "data.patterns={train:40,val:24,test:16}")
NARROW = ("network=resnet10", "network.depths=[1,2]", "network.widths=[4,8]")


def small_config(tmp_path: Path, *overrides: str, name: str = "run", simulated: bool = True) -> DictConfig:
    """Compose conf/train.yaml as train.py does, made small, with its folder and cache under tmp_path."""
    places = (f"folder={tmp_path / name}", *((f"data.cache_dir={tmp_path / 'cache'}", *SIMULATED) if simulated else ()))
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("train", overrides=[*SMALL, *NARROW, *places, *overrides])


def load(path: Path) -> dict[str, Any]:
    """A checkpoint, as plain data only."""
    loaded: dict[str, Any] = torch.load(path, weights_only=True)
    return loaded


def structure_tables(folder: Path, count: int = 8) -> Path:
    """Clouds of atoms of different composition, as tables: structures for networks of supports."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    for number in range(count):
        xyz = random.normal(0, 8, (120, 3)) * [1, 1.5, 0.7]
        xyz[:40] += [0, 15, 8]
        z = random.choice([6, 7, 8], 120, p=[0.4, 0.05 * number, 0.6 - 0.05 * number])
        np.savez(folder / f"s{number:02d}.npz", xyzZ=np.column_stack([xyz, z]).astype(np.float32))
    return folder
