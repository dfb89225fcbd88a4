"""train.py as a user starts it: killed and resumed, and swept."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml

from spi_lightning.apps.train import train
from tests.apps.small_runs import CONF, NARROW, SIMULATED, SMALL, load, small_config

ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}


def start(tmp_path: Path, *overrides: str, flags: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    """Start train.py in tmp_path with a small configuration."""
    settings = [*SMALL, *NARROW, *SIMULATED, f"data.cache_dir={tmp_path / 'cache'}", *overrides]
    command = [sys.executable, str(CONF.parent / "train.py"), *flags, *settings]
    return subprocess.Popen(command, cwd=tmp_path, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_a_killed_run_is_taken_up_as_if_nothing_had_happened(tmp_path: Path) -> None:
    recipe = ("trainer.max_epochs=40", "callbacks.often.every_n_train_steps=3")
    train(small_config(tmp_path, *recipe, name="whole"))
    folder, killed = tmp_path / "killed", start(tmp_path, *recipe, f"hydra.run.dir={tmp_path / 'killed'}")
    last = folder / "checkpoints/last.ckpt"
    while not last.exists() and killed.poll() is None:
        time.sleep(0.02)
    time.sleep(0.3)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert not (folder / "metrics.json").exists() and load(last)["global_step"] < 200
    resumed = start(tmp_path, *recipe, f"resume={folder}")
    assert resumed.communicate()[1] == "" and resumed.returncode == 0
    whole, taken_up = (load(tmp_path / name / "checkpoints/last.ckpt")["state_dict"] for name in ("whole", "killed"))
    assert all(torch.equal(value, taken_up[name]) for name, value in whole.items())
    assert json.loads((folder / "metrics.json").read_text())["train/steps"] == 200


@pytest.mark.slow
def test_a_grid_runs_every_combination(tmp_path: Path) -> None:
    grid = start(tmp_path, "network.dropout=0,0.25", "seed=1,2", "trainer.max_epochs=1", flags=("-m",))
    assert grid.communicate()[1].count("Traceback") == 0 and grid.returncode == 0
    assert all((tmp_path / path).name.startswith("dropout-") for path in tmp_path.glob("runs/*/sweep_*/*/"))
    configs = [yaml.safe_load(path.read_text()) for path in tmp_path.glob("runs/*/sweep_*/*/config.yaml")]
    assert {(c["network"]["dropout"], c["seed"]) for c in configs} == {(0, 1), (0, 2), (0.25, 1), (0.25, 2)}
