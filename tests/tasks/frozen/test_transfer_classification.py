"""experiment=han_vgg16_head from train.py to an answer about a file, with a tiny random VGG16 and with a stand-in."""

import json
import re
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from sklearn.linear_model import LogisticRegression

from spi_lightning.apps.configuration.mistake_lines import one_line
from spi_lightning.apps.train import train
from spi_lightning.errors import UserError
from spi_lightning.io import open_patterns
from spi_lightning.methods import CheckpointMethod
from spi_lightning.settings import setting
from spi_lightning.tasks.frozen.vgg16 import FrozenVGG16
from tests.apps.small_runs import CONF, load, small_config
from tests.hit_runs import answer_of

SIMULATED = ("simulate.shape=[32,32]", "simulate.block_size=16", "data.patterns={train:48,val:24,test:16}")
TINY = ("network.weights=random:0", "+network.widths=[2,3,4,5,6]", "+network.hidden=30", "network.size=64")


def config(
    tmp_path: Path,
    *overrides: str,
    name: str = "run",
    experiment: str = "han_vgg16_head",
    simulated: bool = True,
) -> DictConfig:
    """An experiment as train.py composes it, with its folder and caches under tmp_path."""
    places = (f"folder={tmp_path / name}", *((f"data.cache_dir={tmp_path / 'cache'}", *SIMULATED) if simulated else ()))
    quiet = ("tracking=disabled", "callbacks.progress=null", "+trainer.enable_progress_bar=false")
    cache = (f"task.cache_dir={tmp_path / 'cache'}",) if experiment == "han_vgg16_head" else ()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("train", overrides=[f"experiment={experiment}", *quiet, *places, *cache, *overrides])


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of a narrow ResNet-10, trained for a moment."""
    folder = tmp_path_factory.mktemp("runs")
    train(small_config(folder, "trainer.max_epochs=1", name="resnet10"))
    return folder


def split(tmp_path: Path, frames: int) -> Path:
    """The simulated set of so many frames."""
    return next(path for path in (tmp_path / "cache").glob("*.cxi") if len(open_patterns(path)) == frames)


@pytest.mark.parametrize("backbone", ["vgg16", "stand_in"])
def test_a_head_is_trained_to_the_minimum_and_answers_files(backbone: str, tmp_path: Path, stand_in: Path) -> None:
    choice = TINY if backbone == "vgg16" else ("network.weights=null", f"network.backbone={stand_in}")
    train(config(tmp_path, *choice))
    numbers = json.loads((tmp_path / "run/metrics.json").read_text())
    assert numbers["train/steps"] == 1 and 0 <= numbers["test/accuracy"] <= 1
    method = CheckpointMethod("head", tmp_path / "run", instantiate, device="cpu")
    fitted = answer_of(method, open_patterns(split(tmp_path, 48)))
    label = open_patterns(split(tmp_path, 48)).labels["is_single_hit"]
    assert fitted.features is not None
    theirs = LogisticRegression(tol=1e-10, max_iter=20_000).fit(fitted.features.astype(np.float64), label)
    new = answer_of(method, open_patterns(split(tmp_path, 16)))
    assert new.features is not None
    for answer in (fitted, new):
        assert np.abs(answer.score - theirs.predict_proba(answer.features)[:, 1]).max() < 1e-3


def test_a_checkpoint_holds_the_head_and_the_hash_but_not_the_backbone(tmp_path: Path, stand_in: Path) -> None:
    train(config(tmp_path, "network.weights=null", f"network.backbone={stand_in}"))
    stored = load(tmp_path / "run/checkpoints/best.ckpt")
    kept = {name for name in stored["state_dict"] if name.startswith("network.")}
    assert kept == {"network.head.weight", "network.head.bias", "network.backbone_sha256"}
    path = Path(stored["config"]["task"]["network"]["backbone"])
    assert path == stand_in / "resnet10/checkpoints/best.ckpt"  # a newer run in the folder will not be taken for it
    moved = path.rename(tmp_path / "away.ckpt")
    try:
        with pytest.raises(Exception, match=r"best\.ckpt") as error:
            CheckpointMethod("head", tmp_path / "run", instantiate)
        assert "no such file, run folder or weights" in str(one_line(error.value))
    finally:
        moved.rename(path)


def test_another_backbone_under_the_same_name_is_refused(tmp_path: Path, stand_in: Path) -> None:
    train(config(tmp_path, "network.weights=null", f"network.backbone={stand_in}"))
    path = tmp_path / "run/checkpoints/best.ckpt"
    stored, other = load(path), load(stand_in / "resnet10/checkpoints/best.ckpt")
    other["state_dict"]["network.stem.0.weight"] += 1
    torch.save(other, tmp_path / "other.ckpt")
    stored["config"]["task"]["network"]["backbone"] = str(tmp_path / "other.ckpt")
    torch.save(stored, path)
    with pytest.raises(UserError, match=r"this head was trained on weights whose sha256 begins \w{8};"):
        CheckpointMethod("head", path, instantiate)


def test_features_are_computed_once_for_all_heads(tmp_path: Path, stand_in: Path) -> None:
    choice = ("network.weights=null", f"network.backbone={stand_in}")
    for name, strength in (("a", 1.0), ("b", 0.001)):
        train(config(tmp_path, *choice, f"optimizer.C={strength}", name=name))
    assert len(list((tmp_path / "cache/features").iterdir())) == 3
    norms = [
        load(tmp_path / name / "checkpoints/best.ckpt")["state_dict"]["network.head.weight"].norm() for name in "ab"
    ]
    assert norms[1] < 0.5 * norms[0]


def test_measured_patterns_are_a_word_away(tmp_path: Path, stand_in: Path) -> None:
    label = np.arange(40) % 2
    photons = np.random.default_rng(0).poisson(1 + 3 * label[:, None, None] * np.eye(32))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["photons"], file["label"] = photons.astype(np.uint16), label
    choice = ("data=hits", f"data.path={tmp_path / 'a.h5'}", "network.weights=null", f"network.backbone={stand_in}")
    train(config(tmp_path, *choice, simulated=False))
    assert json.loads((tmp_path / "run/metrics.json").read_text())["test/frames"] == 6


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data.online=true", "set data.online=false"),
        ("data.augment=flips", "set data.augment=none"),
        ("preprocess.crop=24", "set preprocess=counts_and_mask"),
        ("network.finetune=true", "finetune=false"),
        ("task.feature_dtype=int4", "dtype=int4 is unknown"),
        ("network.weights=/nowhere/vgg16.pth", "no such file; get https://download.pytorch.org.*a stand-in"),
    ],
)
def test_what_does_not_go_together_is_one_line(override: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(Exception) as error:
        train(config(tmp_path, *TINY, override))
    line = one_line(error.value)
    assert line is not None and re.search(message, line) and "\n" not in line


def test_the_backbone_can_be_trained_too_and_then_lies_in_the_checkpoint(tmp_path: Path) -> None:
    small = ("data.batch_size=8", "trainer.max_steps=2", "optimizer.lr=1e-3", "data.patterns={train:16,val:8,test:8}")
    train(config(tmp_path, *TINY, *small, experiment="han_vgg16_finetune"))
    stored = load(tmp_path / "run/checkpoints/best.ckpt")
    names = [name for name in stored["state_dict"] if name.startswith("network.trained_backbone.")]
    assert len(names) == 32
    start = FrozenVGG16("random:0", widths=[2, 3, 4, 5, 6], hidden=30)
    start.load()
    first = start.network.state_dict()["features.0.weight"]
    assert not torch.equal(stored["state_dict"]["network.trained_backbone.features.0.weight"], first)
    stored["config"]["task"]["network"]["weights"] = "/gone/vgg16.pth"  # its own weights are enough
    torch.save(stored, tmp_path / "moved.ckpt")
    file = open_patterns(next((tmp_path / "cache").glob("*.cxi")))
    answers = [
        answer_of(CheckpointMethod("a", path, instantiate), file).score
        for path in (tmp_path / "run", tmp_path / "moved.ckpt")
    ]
    np.testing.assert_array_equal(answers[0], answers[1])


def test_the_published_settings_are_those_of_the_paper() -> None:
    network = OmegaConf.load(CONF / "network/vgg16_head.yaml")
    assert (network.clip, network.size, network.weights, network.finetune) == (10, 224, "auto", False)
    assert setting(OmegaConf.load(CONF / "optimizer/penalised_lbfgs.yaml"), "C") == 1
