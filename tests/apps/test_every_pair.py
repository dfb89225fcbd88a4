"""Every task with every loss and network of conf/: a step of training on tiny data, or one line before there is any."""

import logging
from itertools import product
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import DictConfig, open_dict

from spi_lightning.apps.configuration.fitting_parts import choice_of
from spi_lightning.errors import UserError
from spi_lightning.settings import parameters
from spi_lightning.simulate.volumes import VolumeSimulator, pattern_of
from spi_lightning.tasks.fitting import require_fit
from tests.apps.small_runs import CONF, structure_tables

HITS: Final = ("simulate.shape=[64,64]", "preprocess.mask_channel=false", "preprocess.bin=1")
MAPS: Final = ("simulate.projection.size=32", "simulate.projection.pixel_size=9.32e-10")
CLASSES: Final = ({"classes": 1}, {"classes": 5})
LOGITS: Final = ({"logits": True, "target": "support"}, {"logits": False, "target": "density"})
TASKS: Final[dict[str, tuple[tuple[str, ...], tuple[dict[str, Any], ...]]]] = {
    "hit_classification": (HITS, CLASSES),
    "transfer_classification": (("experiment=han_vgg16_head", "simulate.shape=[64,64]", "optimizer=adam"), CLASSES),
    "support_prediction": (("experiment=bellisario_support", *MAPS), LOGITS),
    "healing": (("experiment=bellisario_healing", *MAPS), ({},)),
    "complex_reconstruction": (("experiment=wu_supervised", "simulate.size=16", "simulate.object_size=8"), ({},)),
    "refinement": (("experiment=wu_untrained", "data.size=12", "task.epochs=2", "task.epochs_per_step=1"), ({},)),
}
NARROW: Final = {
    "size": 32,
    "widths": (4, 8),
    "depths": (1, 2),
    "latent": 8,
    "first_widths": (2, 4, 8),
    "answer_rounds": 1,
    "warm_rounds": 1,
    "width": 2,
    "levels": 2,
}
"""Settings that make a network small, where it has them."""


def choices(group: str) -> list[str]:
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


def base(task: str, tmp_path: Path) -> DictConfig:
    """Configuration of a training of a task on a few patterns."""
    words = [*TASKS[task][0], f"task={task}", f"folder={tmp_path}", "schedule=constant", "optimizer=adam"]
    if task == "refinement":
        words += [f"data.path={scan(tmp_path)}", "task.wrapping=null", "task.polish_steps=0", "task.starts=1"]
    else:
        words += ["data.patterns={train:8,val:8,test:8}", "data.batch_size=8", f"data.cache_dir={tmp_path}"]
        words += ["data.online=false", "data.num_workers=0", "simulate.block_size=8"]
    cfg = compose("train", words)
    if "structures" in cfg.get("simulate", {}):
        cfg.simulate.structures.path = str(structure_tables(tmp_path / "structures"))
    return cfg


def scan(tmp_path: Path) -> Path:
    amplitude, phase = VolumeSimulator(block_size=1, size=12, object_size=6).particles(0, seed=3)
    np.save(tmp_path / "scan.npy", torch.poisson(100 * pattern_of(amplitude, phase, 12)[0] ** 2).numpy())
    return tmp_path / "scan.npy"


def narrow(network: DictConfig) -> DictConfig:
    known = parameters(network._target_) or {}
    smaller = {name: value for name, value in NARROW.items() if name in known and network.get(name) != 64}
    if network._target_.endswith("TinyCNN"):
        smaller["size"] = 64
    if network._target_.endswith("logistic_head"):
        smaller |= {"weights": "random:0", "layers": ["conv1_1"]}
    with open_dict(network):
        network.update(smaller)
    return network


@pytest.fixture(scope="module")
def parts() -> dict[str, dict[str, DictConfig]]:
    """Group -> choice -> its settings, not resolved."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return {
            group: {name: compose("train", [f"{group}={name}"])[group] for name in choices(group)}
            for group in ("loss", "network")
        }


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("task", sorted(TASKS))
@pytest.mark.parametrize("every", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["each_part", "every_pair"])
def test_every_loss_and_network_trains_or_is_one_line(
    task: str, every: bool, parts: dict[str, dict[str, DictConfig]], tmp_path: Path
) -> None:
    """Every pair is checked; all that fit are trained, or, for speed, each loss and each network once."""
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = base(task, tmp_path)
        data, trained, failed = instantiate(cfg.data, _convert_="all"), set[str](), []
        for loss, network, (number, settings) in product(*parts.values(), enumerate(TASKS[task][1])):
            with open_dict(cfg):
                cfg.loss, cfg.network = parts["loss"][loss], narrow(parts["network"][network])
                cfg.task.update(settings)
            try:
                require_fit(cfg, choice_of)
            except UserError as error:
                assert "\n" not in str(error)
                continue
            pair = {f"{loss} {number}", f"{network} {number}"}
            if pair <= trained and not every:
                continue
            trained |= pair
            trainer = pl.Trainer(fast_dev_run=True, logger=False, accelerator="cpu", enable_progress_bar=False)
            try:
                trainer.fit(instantiate(cfg.task, _convert_="all"), data)
            except Exception as error:
                failed.append((loss, network, settings, f"{type(error).__name__}: {error}"[:300]))
    assert not failed
    assert trained
