"""spi simulate: a set, a picture, a table; one line for every mistake."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from omegaconf import OmegaConf
from PIL import Image

from spi_lightning.apps import spi
from spi_lightning.io import open_patterns

SMALL = ("simulate.shape=[24,20]", "simulate.block_size=8", "simulate.samples=8")


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
    monkeypatch.setattr(sys, "argv", ["simulate", *SMALL, *arguments])
    spi.run("simulate")


def test_a_set_with_a_picture_and_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "deep" / "set.cxi"
    run(monkeypatch, "patterns=100", f"path={path}", "seed=3", "examples=7")
    patterns = open_patterns(path)
    assert patterns.shape == (100, 24, 20)
    with h5py.File(path) as file:
        stored = OmegaConf.create(file.attrs["simulate_config"])
        assert file.attrs["seed"] == 3
    assert stored.block_size == 8
    with Image.open(path.with_suffix(".png")) as picture:
        assert min(picture.size) > 100
    printed = capsys.readouterr().out
    single = int(re.search(r"single\s+│\s+(\d+)", printed)[1])
    assert single == (patterns.labels["kind"] == 0).sum()
    assert "patterns after" in printed
    assert str(path) in printed
    assert {entry.name for entry in path.parent.iterdir()} <= {"set.cxi", "set.png", ".set.cxi.lock"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("patterns=ten", "path={}/a.cxi"), "patterns=ten: give a whole number"),
        (("patterns=0", "path={}/a.cxi"), "patterns=0: give a whole number, 1 or more"),
        (("patterns=1e30", "path={}/a.cxi"), "give at most 1e+09"),
        (("patterns=9", "workers=1.5", "path={}/a.cxi"), "workers=1.5 must be a whole number"),
        (("patterns=9",), "add path=..."),
        (("path={}/a.cxi",), "add patterns=..."),
        (("patterns=9", "path={}/a.cxi", "simulate=nothing"), "simulate=nothing is unknown: choose one of"),
        (("patterns=9", "path={}/a.cxi", "compression=zip"), "compression=zip is unknown; choose one of"),
        (("patterns=9", "path={}/a.cxi", "device=cuda:99"), "device=cuda:99 is not available"),
        (("patterns=9", "path={}/a.cxi", "sede=1"), "sede"),
        (("patterns=9", "path={}/exists.cxi"), "exists already: give another path=, or overwrite=true"),
        (("patterns=9", "path={}/exists.cxi", "overwrite=true"), "replaces simulated sets, and this is none"),
        (("patterns=9", "path={}/a.png"), "picture of examples has that name"),
        (("patterns=9", "path={}/exists.cxi/a.cxi"), "cannot be written"),
    ],
)
def test_a_mistake_is_one_line(
    arguments: tuple[str, ...],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "exists.cxi").touch()
    with pytest.raises(SystemExit) as left:
        run(monkeypatch, *(argument.format(tmp_path) for argument in arguments))
    assert left.value.code == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert {entry.name for entry in tmp_path.iterdir()} <= {"exists.cxi", ".exists.cxi.lock", ".a.cxi.lock"}


def test_ctrl_c_is_one_line_and_the_same_command_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "set.cxi"
    command = [sys.executable, "-m", "spi_lightning", "simulate", "patterns=100000", f"path={path}", "workers=2"]
    process = subprocess.Popen(command, start_new_session=True, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob(".set.cxi.*.parts/*.cxi")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    _, error = process.communicate(timeout=30)
    assert process.returncode == 130, error
    assert error.splitlines()[-1] == "stopped: the same command goes on from here"
    assert "Traceback" not in error
    assert not path.exists()


def test_ctrl_c_after_the_set_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    path = tmp_path / "set.cxi"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("spi_lightning.reports.simulated.set_pictures.write_examples", stop)
    with pytest.raises(SystemExit) as left:
        run(monkeypatch, "patterns=2", f"path={path}")
    assert left.value.code == 130
    error = capsys.readouterr().err.splitlines()[-1]
    assert error == f"stopped: {path} is whole, its picture of examples is not drawn"
    assert path.is_file()


def test_structures_are_drawn_with_their_densities(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    random = np.random.default_rng(0)
    for name in ("aaaa", "bbbb"):
        table = np.column_stack([random.normal(0, 6, (80, 3)), np.full(80, 6)])
        np.savez(tmp_path / f"{name}.npz", xyzZ=table.astype(np.float32))
    path = tmp_path / "set.cxi"
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
    size = ("simulate.projection.size=32", "simulate.projection.pixel_size=4.66e-10", "simulate.block_size=4")
    command = ("simulate=macromolecule", f"simulate.structures.path={tmp_path}", "patterns=6", f"path={path}", *size)
    monkeypatch.setattr(sys, "argv", ["simulate", *command])
    spi.run("simulate")
    printed = capsys.readouterr().out
    assert "6 patterns of 2" in printed and re.search(r"aaaa\s+│\s+3", printed)
    patterns = open_patterns(path, check=False)
    assert patterns.images["density"].shape == (6, 32, 32) and "density" not in patterns.labels
    with Image.open(path.with_suffix(".png")) as picture:
        assert min(picture.size) > 100
