"""Two processes at the same global batch size train the same network as one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir

from spi_lightning.apps.train import train
from tests.apps.small_runs import CONF, NARROW, SIMULATED, SMALL, load, small_config, structure_tables

RECIPE = (
    "network.dropout=0",  # each process drops its own values
    "preprocess.standardise=pixel",
    "data.augment=dihedral",
    "trainer.precision=64-true",  # Adam lets the rounding of float32 sums grow to 2e-6 in these 15 steps
    "data.patterns={train:44,val:20,test:7}",  # 5 batches and a rest; 3 batches for 2 processes; 1 batch for 2
)


def in_two_processes(words: list[str], status: int = 0) -> list[str]:
    """Lines of stderr of train.py with two processes."""
    done = subprocess.run(
        [sys.executable, "train.py", *words],
        cwd=CONF.parent,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == status, done.stderr
    return done.stderr.splitlines()


@pytest.mark.slow
def test_two_processes_agree_with_one(tmp_path: Path) -> None:
    train(small_config(tmp_path, *RECIPE, name="one"))
    overrides = [*SMALL, *NARROW, *SIMULATED, *RECIPE, f"data.cache_dir={tmp_path / 'cache'}", "trainer=ddp_cpu"]
    in_two_processes([*overrides, f"hydra.run.dir={tmp_path / 'two'}"])
    for name in ("last", "best"):
        one, two = (load(tmp_path / run / f"checkpoints/{name}.ckpt") for run in ("one", "two"))
        assert one["global_step"] == two["global_step"]
        for key, value in one["state_dict"].items():
            if key.startswith(("network.", "preprocess.")):
                torch.testing.assert_close(
                    two["state_dict"][key], value, rtol=0, atol=1e-9, msg=lambda text, key=key: f"{key}: {text}"
                )
    one, two = (json.loads((tmp_path / run / "metrics.json").read_text()) for run in ("one", "two"))
    assert one.keys() == two.keys() and two["test/frames"] == 7
    for key in ("val/accuracy", "val/auroc", "val/confusion", "test/accuracy", "test/auroc", "test/confusion"):
        assert one[key] == two[key]


@pytest.mark.slow
@pytest.mark.parametrize("experiment", ["bellisario_support", "bellisario_healing"])
def test_supports_and_healing_agree_though_a_process_is_left_without_a_batch(tmp_path: Path, experiment: str) -> None:
    words = [
        f"experiment={experiment}",
        f"simulate.structures.path={structure_tables(tmp_path / 'structures')}",
        "data.patterns={train:16,val:8,test:8}",  # one batch of validation, one of test
        "data.batch_size=8",
        "data.num_workers=0",
        f"data.cache_dir={tmp_path / 'cache'}",
        "simulate.block_size=8",
        "trainer.max_steps=4",
        "trainer.precision=64-true",
        "tracking=disabled",
        "callbacks.progress=null",
        "+trainer.enable_progress_bar=false",
    ]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        train(compose("train", [*words, f"folder={tmp_path / 'one'}"]))
    in_two_processes([*words, "trainer=ddp_cpu", f"hydra.run.dir={tmp_path / 'two'}"])
    one, two = (json.loads((tmp_path / run / "metrics.json").read_text()) for run in ("one", "two"))
    assert one.keys() == two.keys()
    for key in one:
        assert key == "train/seconds" or two[key] == pytest.approx(one[key], rel=1e-5), key


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["data.batch_size=7"], "error: data.batch_size=7 does not divide into 2 processes"),
        (
            ["optimizer={_target_:torch.optim.LBFGS,_partial_:true}"],
            "error: optimizer: L-BFGS takes its steps in one process: set trainer=cpu or trainer=gpu",
        ),
    ],
)
def test_a_mistake_of_two_processes_is_one_line(tmp_path: Path, words: list[str], line: str) -> None:
    places = [f"data.cache_dir={tmp_path / 'cache'}", f"hydra.run.dir={tmp_path / 'two'}"]
    message = in_two_processes([*SMALL, *NARROW, *SIMULATED, "trainer=ddp_cpu", *places, *words], status=2)
    assert message[-1].rstrip(".") == line and not any("Traceback" in each for each in message)
