"""The command spi: its words, its help, and what it does not import."""

import json
import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml

from spi_lightning.apps.spi import FILE_KEY
from spi_lightning.locations import CONF
from spi_lightning.settings.comments import read_choice
from tests.apps.in_process import status

HEAVY = ("pytorch_lightning", "lightning_fabric", "torchmetrics", "sklearn", "faiss", "wandb", "skimage", "gemmi")


def loaded(folder: Path, *words: str) -> set[str]:
    """Top-level modules of a process that has run ``spi WORDS``."""
    script = "import sys; from spi_lightning.apps.spi import main; main(); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script, *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(CONF.parent), "MPLBACKEND": "Agg"},
        capture_output=True,
        text=True,
        check=True,
    )
    return {name.partition(".")[0] for name in done.stdout.splitlines()[-1].split()}


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of four simulated patterns."""
    path = tmp_path_factory.mktemp("spi") / "a.cxi"
    small = ("simulate.shape=[32,32]", "simulate.block_size=4", "examples=0")
    assert status("simulate", "patterns=4", f"out={path}", *small) == 0
    return path


def test_help_imports_neither_torch_nor_hydra(tmp_path: Path) -> None:
    assert not loaded(tmp_path, "--help") & {"torch", "hydra", "omegaconf", "numpy", *HEAVY}
    assert not loaded(tmp_path, "train", "--help") & {"torch", "hydra", *HEAVY}


def test_describe_and_phase_load_no_lightning(frames: Path) -> None:
    assert not loaded(frames.parent, "describe", frames.name) & {"matplotlib", *HEAVY}
    words = ("phase", frames.name, "data.frame=0", "starts=2", "phasing.recipe=2*ER", "out=phased")
    assert not loaded(frames.parent, *words) & {*HEAVY} - {"skimage"}  # of the page, at the end


@pytest.mark.parametrize("command", FILE_KEY)
def test_help_fits_a_terminal_and_ends_with_examples(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert status(command, "--help") == 0
    lines = capsys.readouterr().out.splitlines()
    examples = lines[lines.index("Examples:") + 1 :]
    assert examples and all(line.startswith((f"  spi {command}", "      ")) for line in examples)
    assert all(len(line) <= 80 for line in lines)
    assert len(lines) <= 123


def test_help_of_a_choice_lists_its_keys(capsys: pytest.CaptureFixture[str]) -> None:
    assert status("train", "--help", "trainer=ddp_cpu") == 0
    printed = capsys.readouterr().out
    assert "Two processes on the CPU" in printed and "trainer.devices=2" in printed and "trainer=gpu" not in printed


def test_help_of_an_experiment_lists_what_it_takes_from_another(capsys: pytest.CaptureFixture[str]) -> None:
    assert status("train", "experiment=demo_tiny_cnn", "--help") == 0
    printed = capsys.readouterr().out
    lines = {line.strip().split("  ")[0] for line in printed.splitlines()}
    assert {"simulate.usable_photons=1.2e+4", "data.augment=flips", "trainer.max_steps=1200"} <= lines
    assert "trainer.max_steps=3000" not in printed and "experiment.trainer" not in printed


@pytest.mark.parametrize("group", sorted(path.name for path in CONF.iterdir() if path.is_dir()))
def test_every_choice_says_in_one_line_what_it_is(group: str) -> None:
    choices = [read_choice(path) for path in sorted((CONF / group).glob("*.yaml"))]
    width = max(len(choice.path.stem) for choice in choices) + len("  *   ")
    names = {choice.path.stem for choice in choices}
    for choice in choices:
        line = choice.first_sentence
        assert line and width + len(line) <= 80, f"{choice.path}: {line}"
        assert not line[0].islower() or line.split(",")[0].split()[0] in {*names, "metrics.csv"}, (
            f"{choice.path}: {line}"
        )
        assert "=" not in line and not line.startswith(("The same", "spi ")), f"{choice.path}: {line}"


def test_help_offers_what_the_command_takes(capsys: pytest.CaptureFixture[str]) -> None:
    def data(command: str) -> set[str]:
        assert status(command, "data", "--help") == 0
        printed = capsys.readouterr().out.splitlines()
        return {line.removeprefix("data=") for line in printed if line.startswith("data=")}

    assert data("phase") == {"one_frame", "one_scan", "merged_intensity"}
    assert {"hits", "volumes", "one_scan"} < data("evaluate") and "one_frame" not in data("evaluate")
    assert "simulated_hits" in data("train") and not {"one_frame", "one_scan"} & data("train")
    assert status("evaluate", "--help") == 0
    printed = capsys.readouterr().out
    assert all(f"    {path.stem}  " in printed for path in (CONF / "method").glob("*.yaml"))


def test_every_command_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert status("--help") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[2:-2]] == [*FILE_KEY, "config"] and all(len(line) <= 80 for line in lines)


def test_config_prints_what_the_command_would_take_with_its_comments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()  # of the user: it stays
    assert status("config", "experiment=demo_tiny_cnn", "seed=7", "out=mine/run") == 0
    printed = capsys.readouterr().out
    settings = yaml.safe_load(printed)
    assert settings["seed"] == 7 and settings["network"]["_target_"] == "spi_lightning.networks.TinyCNN"
    assert settings["task"]["network"] == "${network}" and printed.count("TinyCNN") == 1
    assert "  bin: 2  # pixels summed along each axis\n" in printed
    assert status("config", "phase", "a.cxi", "starts=3", "out=empty") == 0
    printed = capsys.readouterr().out
    assert "path: a.cxi  # file" in printed and "starts: 3  # independent" in printed
    assert [path.name for path in tmp_path.rglob("*")] == ["empty"]


def test_a_rocking_scan_is_taken_as_one_unless_data_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    profile = 1 / (1 + ((np.arange(24) - 12) / 2) ** 4) + 0.01
    frame = 400 * np.exp(-((np.hypot(*np.mgrid[-16:16, -16:16]) / 4) ** 2)) + 0.1
    with h5py.File("scan.h5", "w") as file:
        file["counts"] = np.random.default_rng(0).poisson(frame * profile[:, None, None]).astype(np.uint16)
        file["theta_deg"] = 0.2 + 0.01 * np.arange(24)
    words = ("phase", "scan.h5", "starts=1", "phasing.recipe=2*ER", "polish_steps=auto")
    assert status(*words, "out=phased") == 0
    printed = capsys.readouterr().out
    assert "looks like a rocking scan and is taken as one (data=one_scan)" in printed
    assert "phasing.constraint=complex support=box: the defaults of a 3D pattern, as of a Bragg crystal" in printed
    config = yaml.safe_load(Path("phased/config.yaml").read_text())
    assert config["data"]["_target_"].endswith("measure_scan")
    assert (config["phasing"], config["support"]) == ({"recipe": "2*ER", "constraint": "complex"}, "box")
    assert "data=one_scan" in json.loads(Path("phased/versions.json").read_text())["overrides"]
    assert "data=one_scan was not named" in Path("phased/report.html").read_text()
    capsys.readouterr()
    mine = ("data.preparation.size=16", "phasing.constraint=positive", "support=circle", "support_threshold=0.1")
    assert status(*words, *mine, "out=mine") == 0
    printed = capsys.readouterr().out
    assert "data=one_scan, since data.preparation.size is a setting of rocking scans alone" in printed
    assert "16 x 16 x 16 pixels" in printed and "the defaults of a 3D pattern" not in printed
    config = yaml.safe_load(Path("mine/config.yaml").read_text())
    assert (config["phasing"]["constraint"], config["support"]) == ("positive", "circle")
    assert status("describe", "scan.h5") == 0
    assert "looks like a rocking scan" in capsys.readouterr().out
    assert status(*words, "data=one_frame") == 2
    assert "give data=one_scan" in capsys.readouterr().err


def test_the_help_of_a_choice_lists_the_keys_of_its_parts(capsys: pytest.CaptureFixture[str]) -> None:
    assert status("phase", "data=one_scan", "--help") == 0
    printed = capsys.readouterr().out
    assert all(f"data.{key}=" in printed for key in ("path", "keys.angle", "preparation.size", "geometry.step_deg"))


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["phaze"], "error: spi phaze is not a command; did you mean spi phase?"),
        (["xyz"], "error: spi xyz is not a command; commands are simulate, describe, "),
        (["train", "--foo"], "error: --foo is no option; write KEY=VALUE; spi train --help lists the keys"),
        (["train", "frames.h5"], "error: frames.h5: write KEY=VALUE, as in data=hits data.path=frames.h5; "),
        (["train", "-m", "seed=1,2", "-c", "job"], "error: -m has no settings of one job; spi train without -m "),
        (["train", "data=supports", "a.h5"], "error: a.h5: write KEY=VALUE, as in data.path=a.h5; "),
        (
            ["train", "data=one_frame", "data.path=x.cxi"],
            "error: data=one_frame does not fit task=hit_classification: ",
        ),
        (["evaluate", "x.cxi", "data=one_frame", "method=photon_count"], "error: data=one_frame is one pattern, "),
        (
            ["evaluate", "data.path=x.cxi", "method=graph_cut", "+settings.graph_cut=3"],
            "error: settings.graph_cut=3 names no option; ",
        ),
    ],
)
def test_mistakes_are_one_line(words: list[str], line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert status(*words) == 2
    printed = capsys.readouterr().err
    assert printed.startswith(line) and printed.count("\n") == 1
