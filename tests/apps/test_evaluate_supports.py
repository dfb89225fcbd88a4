"""Supports compared through the real configuration: a network of one size before patterns of another."""

import re
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import OmegaConf

from spi_lightning.apps.configuration.mistake_lines import one_line
from spi_lightning.apps.configuration.plain_words import command_line
from spi_lightning.apps.evaluate import evaluate
from spi_lightning.data.measurement import Measurement
from spi_lightning.errors import UserError
from spi_lightning.fields import DENSITY, SUPPORT
from spi_lightning.reconstruction.network import network_answer
from spi_lightning.results import read
from tests.reports.again import require_same_page

CONF = Path(__file__).parents[2] / "conf"


def run(folder: Path, path: Path, *overrides: str) -> dict[str, Any]:
    words = (f"folder={folder}", "data=supports", f"data.path={path}", "data.keys.photons=patterns", "cache=null")
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return evaluate(
            compose("evaluate", overrides=command_line("evaluate", [*words, "device=cpu", *overrides], "data.path"))
        )


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained network of 32 x 32 pixels in a run folder."""
    words = ["experiment=bellisario_support", "network.size=32", "network.widths=[2,4,8]", "network.latent=8"]
    return untrained(tmp_path_factory.mktemp("runs") / "trained", words)


@pytest.fixture(scope="module")
def healing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained network that heals, in a run folder."""
    words = ["experiment=bellisario_healing", "network.widths=[2,4,8]"]
    return untrained(tmp_path_factory.mktemp("runs") / "healing", words)


def untrained(run_folder: Path, words: list[str]) -> Path:
    """A run folder with a checkpoint of random weights."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("train", overrides=words)
    task = OmegaConf.to_container(cfg.task, resolve=True)
    torch.manual_seed(0)
    state = instantiate(OmegaConf.create(task)).state_dict()
    (run_folder / "checkpoints").mkdir(parents=True)
    config = {"task": task, "network": {"size": 32}}
    torch.save({"state_dict": state, "config": config}, run_folder / "checkpoints" / "best.ckpt")
    return run_folder


def patterns(path: Path, size: int) -> Path:
    y, x = np.meshgrid(*[np.arange(size) - size // 2] * 2, indexing="ij")
    rate = 1e4 * np.exp(-(y**2 + 2 * x**2) / 30)
    with h5py.File(path, "w") as file:
        file["patterns"] = np.random.default_rng(0).poisson(rate, (3, size, size)).astype(np.float32)
    return path


def test_larger_patterns_are_answered_from_their_middle_and_smaller_ones_refused(network: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    metrics = run(out, patterns(tmp_path / "larger.h5", 48), f"method=[{network},triple_intersection]")
    assert len(metrics["methods"]) == 2
    notes = read(out).notes
    assert any("patterns of 48 x 48 pixels are answered from their central 32 x 32" in str(note) for note in notes)
    assert read(out).methods[0].support.shape == (3, 48, 48)
    require_same_page(out)
    with pytest.raises(UserError, match="trained on 32 x 32 pixels and the patterns have 24 x 24"):
        run(tmp_path / "no", patterns(tmp_path / "smaller.h5", 24), f"method={network}")


def test_patterns_are_binned_by_a_setting(network: Path, tmp_path: Path) -> None:
    path = patterns(tmp_path / "finer.h5", 64)
    run(tmp_path / "out", path, f"method={network}", "preprocess.bin=2")
    notes = read(tmp_path / "out").notes
    assert any("were binned 2 x 2" in str(note) for note in notes)
    with pytest.raises(UserError, match=r"preprocess\.crop"):
        run(tmp_path / "no", path, f"method={network}", "preprocess.crop=32")


def test_patterns_are_healed_before_a_method_sees_them(healing: Path, network: Path, tmp_path: Path) -> None:
    words = [f"+settings.healed_{name}.healing={healing}" for name in ("triple_intersection", "network")]
    methods = "method=[healed_triple_intersection,healed_network]"
    path = patterns(tmp_path / "set.h5", 32)
    metrics = run(tmp_path / "out", path, methods, *words, f"+settings.healed_network.then={network}")
    assert set(metrics["methods"]) == {"healed_triple_intersection", "healed_network"}


@pytest.mark.parametrize("kind", ["checkpoint", "healing"])
def test_weights_that_are_no_numbers_are_refused_before_anything_is_written(
    kind: str, network: Path, healing: Path, tmp_path: Path
) -> None:
    stored = torch.load({"checkpoint": network, "healing": healing}[kind] / "checkpoints/best.ckpt", weights_only=True)
    next(iter(stored["state_dict"].values())).fill_(torch.nan)
    torch.save(stored, tmp_path / "nan.ckpt")
    name = "healed_triple_intersection"
    words = {"checkpoint": ["checkpoint={}"], "healing": [f"method={name}", f"+settings.{name}.healing={{}}"]}[kind]
    with pytest.raises((UserError, InstantiationException)) as caught:
        run(tmp_path / "out", patterns(tmp_path / "a.h5", 32), *(word.format(tmp_path / "nan.ckpt") for word in words))
    assert re.search(r"nan.ckpt: \d+ of \d+ weights are NaN or infinite", one_line(caught.value) or "")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("word", "line"),
    [
        ("supports.fraction=x", "supports.fraction=x must be a number"),
        ("supports.curve=x", "supports.curve=x must be a whole number"),
        ("supports.gallery=-1", "supports.gallery=-1 must not be negative"),
        ("preprocess.bin=0", "preprocess.bin=0 must be above 0"),
    ],
)
def test_settings_that_are_no_numbers_are_named(tmp_path: Path, word: str, line: str) -> None:
    with pytest.raises(UserError, match=line):
        run(tmp_path / "no", tmp_path / "none.h5", "method=triple_intersection", word)


def test_a_mask_by_its_plain_name_is_read_and_refused_if_it_is_all_zero(tmp_path: Path) -> None:
    mask, flags = patterns(tmp_path / "masked.h5", 24), patterns(tmp_path / "flags.h5", 24)
    for path, shape in ((mask, (24, 24)), (flags, (3,))):
        with h5py.File(path, "r+") as file:
            file["good"] = np.zeros(shape, dtype=np.uint8)
    with pytest.raises(UserError, match=r"masked\.h5: good: is 0 everywhere"):
        run(tmp_path / "no", mask, "method=triple_intersection")
    assert run(tmp_path / "out", flags, "method=triple_intersection")["methods"]  # one for each frame is not a mask


def test_phasing_refuses_a_network_of_supports_as_a_start_and_names_the_size_it_needs(network: Path) -> None:
    amplitude = torch.ones(30, 30)
    measured = Measurement(amplitude, amplitude > 0)
    with pytest.raises(UserError, match=r"answers where the particle is, not its density: give it as support="):
        network_answer(str(network), measured, DENSITY, instantiate)
    with pytest.raises(UserError, match=r"trained on 32 x 32 pixels and the pattern has 30 x 30: set data\.crop=32"):
        network_answer(str(network), measured, SUPPORT, instantiate)


def test_intensities_in_any_unit_are_evaluated(tmp_path: Path) -> None:
    path = patterns(tmp_path / "relative.h5", 32)
    with h5py.File(path, "r+") as file:
        file["patterns"][...] = 1e-7 * (file["patterns"][()] + 0.3)
    assert len(run(tmp_path / "out", path, "method=triple_intersection")["methods"]) == 1
