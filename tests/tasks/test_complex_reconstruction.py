"""The supervised 3D task: eq. 6 by hand, twins, two processes, resume of both optimisers."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from spi_lightning.apps.train import train
from spi_lightning.data.volumes import volume_batch
from spi_lightning.errors import UserError
from spi_lightning.losses import SupervisedLoss, relative_rms
from spi_lightning.metrics import VolumeMetrics, twin_target
from spi_lightning.networks import ComplexEncoderDecoder
from spi_lightning.simulate.volumes import VolumeSimulator
from spi_lightning.tasks import ComplexReconstruction
from spi_lightning.tasks.complex_reconstruction import phased_on
from tests.apps.configuration.test_resume import PowerCutError, equal
from tests.apps.small_runs import CONF, load

SMALL = (
    "experiment=wu_supervised",
    "network.width=2",
    "network.levels=2",
    "simulate.size=12",
    "simulate.object_size=6",
    "simulate.block_size=8",
    "data.patterns={train:20,val:8,test:6}",
    "data.batch_size=8",
    "schedule.period=2",
    "trainer.max_epochs=5",
    "tracking=disabled",
    "callbacks.progress=null",
    "+trainer.enable_progress_bar=false",
)


def config(tmp_path: Path, *overrides: str, name: str = "run") -> DictConfig:
    places = (f"folder={tmp_path / name}", f"data.cache_dir={tmp_path / 'cache'}")
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("train", overrides=[*SMALL, *places, *overrides])


def task(**options: Any) -> ComplexReconstruction:
    network = ComplexEncoderDecoder(width=2, levels=2)
    return ComplexReconstruction(network, SupervisedLoss(), VolumeMetrics(), torch.optim.Adam, **options)


def batch() -> dict[str, torch.Tensor]:
    return volume_batch(VolumeSimulator(block_size=3, size=12, object_size=6)(0, 1), torch.arange(3), 12)


def test_the_truth_costs_nothing_and_its_twin_only_where_it_should() -> None:
    drawn = batch()
    truth = drawn["amplitude"], drawn["phase"]
    assert (task().losses_of(truth, drawn) < 1e-5).all()
    turned = twin_target(*truth)
    assert (task().losses_of(turned, drawn) > 0.05).all()
    assert (task(twin="either").losses_of(turned, drawn) < 1e-5).all()
    assert (task().losses_of((0 * truth[0], 0 * truth[1]), drawn) - 1).abs().max() < 1e-5


def test_unmeasured_voxels_have_no_influence() -> None:
    drawn = batch()
    drawn["mask"] = torch.rand(drawn["mask"].shape) > 0.2
    other = drawn | {"fourier_amplitude": torch.where(drawn["mask"], drawn["fourier_amplitude"], 99.0)}
    network = task().eval()
    for one, two in zip(network(drawn), network(other), strict=True):
        assert torch.equal(one, two)
    assert torch.equal(network.losses_of(network(drawn), drawn), network.losses_of(network(drawn), other))


def test_a_recipe_takes_answers_nearer_to_the_truth() -> None:
    drawn = volume_batch(VolumeSimulator(block_size=4, size=32, object_size=16)(0, 1), torch.arange(4), 32)
    truth = drawn["amplitude"], drawn["phase"]
    torch.manual_seed(0)
    wrong = torch.nn.functional.avg_pool3d(torch.randn_like(truth[1]), 5, 1, 2)
    answer = torch.nn.functional.avg_pool3d(truth[0], 3, 1, 1), (truth[1] + 4 * wrong) * (truth[0] > 0)
    scale = 7.0  # measured amplitudes may be in another unit
    found = phased_on(answer, scale * drawn["fourier_amplitude"][:, 0], drawn["mask"][:, 0], "20*HIO(0.9) + 10*ER")
    assert found[0].shape == found[1].shape == truth[0].shape
    assert relative_rms(found[0] / scale, truth[0]).mean() < 0.5 * relative_rms(answer[0], truth[0]).mean()
    assert relative_rms(found[1], truth[1]).mean() < 0.8 * relative_rms(answer[1], truth[1]).mean()


def test_answers_go_through_the_recipe_in_test_and_prediction_alone() -> None:
    drawn, network = batch(), task(recipe="3*ER").eval()
    plain = network.answer(drawn), network(drawn)
    assert not torch.equal(plain[0][0], plain[1][0])
    predicted = network.predict_step(drawn)
    assert torch.equal(predicted["amplitude"], plain[0][0]) and torch.equal(predicted["phase"], plain[0][1])
    with pytest.raises(UserError, match="HIOO"):
        task(recipe="3*HIOO")


def test_a_box_of_another_size_is_named() -> None:
    drawn = batch()
    wrong = task()
    wrong.network = ComplexEncoderDecoder(width=2, levels=2, box=(5, 6, 6))
    with pytest.raises(UserError, match=r"network\.box=\[5, 6, 6\]"):
        wrong.losses_of(wrong(drawn), drawn)


def test_resume_of_both_optimisers_is_bit_for_bit(tmp_path: Path) -> None:
    train(config(tmp_path, "callbacks.often.every_n_train_steps=1"))
    for step in (5, 8):
        name = f"cut_at_{step}"
        crash = f"+callbacks.crash={{_target_: tests.apps.configuration.test_resume.Crash, step: {step}}}"
        with pytest.raises(PowerCutError):
            train(config(tmp_path, "callbacks.often.every_n_train_steps=1", crash, name=name))
        often = "callbacks.often.every_n_train_steps=1"
        train(config(tmp_path, often, f"resume={tmp_path / name}", "trust=tests", name=name))
        whole, resumed = (load(tmp_path / run / "checkpoints/last.ckpt") for run in ("run", name))
        assert [member["name"] for member in whole["optimizer_states"][0]["members"]] == ["Adam", "SGD"]
        for part in ("state_dict", "optimizer_states", "lr_schedulers", "global_step", "epoch"):
            assert equal(whole[part], resumed[part]), (step, part)


def test_clipping_and_bf16(tmp_path: Path) -> None:
    train(config(tmp_path, "trainer.precision=bf16-mixed", "trainer.gradient_clip_val=0.1", "trainer.max_epochs=3"))
    numbers = json.loads((tmp_path / "run/metrics.json").read_text())
    assert 0 < numbers["val/eq_6_either_twin"] <= numbers["val/eq_6"] and numbers["test/twin_floor"] > 0


def test_two_processes_switch_as_one_does(tmp_path: Path) -> None:
    """Batch statistics are shared; no answer of zeros, whose loss magnifies rounding."""
    recipe = (
        "network.norm=batch",
        "network.heads=bounded",
        "trainer.precision=64-true",
        "data.patterns={train:16,val:8,test:0}",
    )
    train(config(tmp_path, *recipe, name="one"))
    places = (f"data.cache_dir={tmp_path / 'cache'}", f"hydra.run.dir={tmp_path / 'two'}")
    done = subprocess.run(
        [sys.executable, "train.py", *SMALL, "trainer=ddp_cpu", *recipe, *places],
        cwd=CONF.parent,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr
    one, two = (load(tmp_path / run / "checkpoints/last.ckpt") for run in ("one", "two"))
    assert one["global_step"] == two["global_step"] == 10
    assert one["optimizer_states"][0]["active"] == two["optimizer_states"][0]["active"]
    for key, value in one["state_dict"].items():
        if key.startswith("network."):
            torch.testing.assert_close(two["state_dict"][key], value, rtol=0, atol=1e-6)
