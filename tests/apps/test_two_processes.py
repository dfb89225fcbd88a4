"""Two processes at the same global batch size train the same network as one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import torch

from spi_lightning.apps.train import train
from tests.apps.small_runs import CONF, NARROW, SIMULATED, SMALL, load, small_config

RECIPE = (
    "network.dropout=0",  # each process drops its own values
    "preprocess.standardise=pixel",
    "data.augment=dihedral",
    "trainer.precision=64-true",  # Adam lets the rounding of float32 sums grow to 2e-6 in these 15 steps
    "data.patterns={train:44,val:20,test:7}",  # 5 batches and a rest; 3 batches for 2 processes; 1 batch for 2
)


def test_two_processes_agree_with_one(tmp_path: Path) -> None:
    train(small_config(tmp_path, *RECIPE, name="one"))
    overrides = [*SMALL, *NARROW, *SIMULATED, *RECIPE, f"data.cache_dir={tmp_path / 'cache'}", "trainer=ddp_cpu"]
    done = subprocess.run(
        [sys.executable, "train.py", *overrides, f"hydra.run.dir={tmp_path / 'two'}"],
        cwd=CONF.parent,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr
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
