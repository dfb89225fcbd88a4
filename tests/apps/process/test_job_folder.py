"""Folders of jobs: one for each run, and nothing left, nor taken away, by a command that is refused or stopped."""

import functools
import importlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hydra._internal.core_plugins import basic_launcher
from hydra.core.plugins import Plugins
from hydra.core.singleton import Singleton
from omegaconf import DictConfig, OmegaConf

from spi_lightning.apps.process.entry import run_app
from spi_lightning.apps.process.job_folder import record, take_over
from spi_lightning.errors import UserError
from spi_lightning.files import folder_lock
from spi_lightning.mistakes import SignalError

CONF = Path(__file__).parents[3] / "conf"
NEEDED = {
    "simulate": ("path=x", "patterns=1"),
    "report": ("run=x",),
    "phase": ("data.path=x",),
    "evaluate": ("data.path=x",),
}
FILES = ("/config.yaml", "/job.json", "/versions.json")
Job = Callable[[DictConfig], None]


@pytest.fixture
def run(tmp_path, monkeypatch) -> Callable[..., int]:
    """Run a job with the folders of conf/NAME.yaml, in tmp_path; its exit status."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)

    def call(job: Job, *words: str, name: str = "phase") -> int:
        monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
        monkeypatch.setattr(sys, "argv", [name, *words, *NEEDED.get(name, ())])
        try:
            job.__name__ = name
            run_app(job)
        except SystemExit as error:
            return int(error.code or 0)
        return 0

    return call


def refuse(cfg: DictConfig) -> None:
    """Stop with a mistake after the settings were written."""
    if cfg.get("folder"):
        record(cfg)
    raise UserError("a mistake")


def left(folder: Path) -> list[str]:
    """All that is below a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.parametrize("name", ["phase", "train", "evaluate", "orient", "simulate", "report"])
def test_a_refused_command_leaves_nothing_in_an_empty_working_folder(run, tmp_path, capsys, name) -> None:
    assert run(refuse, name=name) == 2
    assert capsys.readouterr().err == "error: a mistake\n"
    assert tmp_path.is_dir()
    assert left(tmp_path) == []


@pytest.mark.parametrize("name", ["phase", "train", "simulate"])
def test_an_empty_folder_of_the_user_stays_and_a_new_one_goes(run, tmp_path, name) -> None:
    (tmp_path / "mine" / "empty").mkdir(parents=True)
    assert run(refuse, "hydra.run.dir=mine/empty", name=name) == 2
    assert left(tmp_path) == ["mine", "mine/empty"]
    assert run(refuse, "hydra.run.dir=mine/new/deep", name=name) == 2
    assert left(tmp_path) == ["mine", "mine/empty"]


def test_what_lay_in_the_folder_before_stays(run, tmp_path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    assert run(refuse, "hydra.run.dir=mine") == 2
    assert left(tmp_path) == ["mine", "mine/notes.txt"]


def test_results_stay_with_their_settings(run, tmp_path) -> None:
    def half(cfg: DictConfig) -> None:
        record(cfg)
        (Path(cfg.folder) / "predictions.csv").write_text("1")
        raise UserError("later")

    assert run(half, "hydra.run.dir=out") == 2
    assert left(tmp_path) == ["out", "out/config.yaml", "out/predictions.csv", "out/versions.json"]


def test_a_fault_of_ours_keeps_the_settings_to_look_at(run, tmp_path) -> None:
    def fault(cfg: DictConfig) -> None:
        record(cfg)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(fault, "hydra.run.dir=out")
    assert left(tmp_path) == ["out", "out/config.yaml", "out/versions.json"]


def test_a_folder_named_by_its_own_key_goes_too_and_the_unused_one(run, tmp_path) -> None:
    assert run(refuse, "folder=here/x") == 2
    assert left(tmp_path) == []
    assert run(lambda cfg: record(cfg) and None, "folder=here/x") == 0  # type: ignore[func-returns-value]
    assert left(tmp_path) == ["here", "here/x", "here/x/config.yaml", "here/x/versions.json"]


def test_a_refused_sweep_leaves_nothing_and_a_sound_job_stays(run, tmp_path) -> None:
    assert run(refuse, "-m", "seed=1,2") == 2
    assert left(tmp_path) == []

    def second(cfg: DictConfig) -> None:
        refuse(cfg) if cfg.seed == 1 else record(cfg)

    assert run(second, "-m", "seed=1,2") == 2
    (sweep,) = tmp_path.glob("runs/phase/sweep_*")
    table = ["comparison.csv", "multirun.yaml", "report.html"]
    refused, sound = ["seed-1", "seed-1/job.json"], [f"seed-2{name}" for name in ("", *FILES)]
    assert left(sweep) == sorted([*table, *refused, *sound])


@pytest.mark.parametrize(
    ("name", "words"), [("phase", ()), ("train", ()), ("evaluate", ()), ("phase", ("-m", "seed=7"))]
)
def test_runs_of_one_second_get_folders_of_their_own(run, tmp_path, monkeypatch, name, words) -> None:
    from hydra.core import utils

    class Noon(utils.datetime):  # type: ignore[name-defined, misc]
        @classmethod
        def now(cls, tz: object = None) -> "Noon":
            return cls(2026, 1, 1, 12)

    monkeypatch.setattr(utils, "datetime", Noon)
    found = []
    for _ in range(3):
        assert run(lambda cfg: found.append(record(cfg)["folder"]), *words, name=name) == 0
    assert len(set(found)) == 3
    for folder in found:
        assert Path(folder, "config.yaml").is_file()


@pytest.mark.parametrize(
    "words", [("hydra.run.dir=file",), ("hydra.run.dir=file/deep/x",), ("-m", "hydra.sweep.dir=file")]
)
def test_a_file_where_the_folder_should_be_is_one_line(run, tmp_path, capsys, words) -> None:
    (tmp_path / "file").write_text("")
    assert run(refuse, *words) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert "file" in error
    assert error.count("\n") == 1
    assert left(tmp_path) == ["file"]


def test_a_full_disk_and_a_removed_folder_are_one_line(run, capsys) -> None:
    def full(cfg: DictConfig) -> None:
        raise OSError(28, "No space left on device", f"{cfg.folder}/metrics.csv")

    assert run(full) == 2
    assert "metrics.csv: cannot be written, the disk is full" in capsys.readouterr().err

    def gone(cfg: DictConfig) -> None:
        Path(cfg.folder).rmdir()
        (Path(cfg.folder) / "metrics.csv").open("w")

    assert run(gone) == 2
    assert "check whether it was removed" in capsys.readouterr().err

    def input_gone(cfg: DictConfig) -> None:
        Path("no-input.h5").open()  # noqa: SIM115

    with pytest.raises(FileNotFoundError):
        run(input_gone)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_stopped_run_says_so_in_one_line(run, tmp_path, capsys, number, status) -> None:
    def stopped(cfg: DictConfig) -> None:
        threading.Timer(0.05, os.kill, (os.getpid(), number)).start()
        threading.Event().wait(10)

    before = signal.getsignal(number)
    assert run(stopped) == status
    error = capsys.readouterr().err
    assert error.startswith("stopped")
    assert error.count("\n") == 1
    assert signal.getsignal(number) is before
    assert left(tmp_path) == []


def test_advice_keeps_the_signal(run, capsys) -> None:
    def stopped(_: DictConfig) -> None:
        try:
            raise SignalError(signal.SIGTERM)
        except KeyboardInterrupt as error:
            raise KeyboardInterrupt("go on so") from error

    assert run(stopped) == 143
    assert capsys.readouterr().err == "stopped: by SIGTERM: go on so\n"


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="looks into /proc for what is imported")
@pytest.mark.parametrize("words", [["train.py"], ["evaluate.py"], ["-m", "spi_lightning", "simulate"]])
def test_an_interrupt_during_the_imports_is_one_line(tmp_path, words) -> None:
    words = [str(CONF.parent / word) if word.endswith(".py") else word for word in words]
    surroundings = {**os.environ, "PYTHONPATH": str(CONF.parent)}
    command = [sys.executable, *words]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, env=surroundings) as process:
        while "libtorch" not in Path(f"/proc/{process.pid}/maps").read_text():
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        assert process.communicate()[1] == "stopped\n"
    assert process.returncode == 130
    assert left(tmp_path) == []


def test_lightning_s_own_exit_at_ctrl_c_counts_as_stopped(run) -> None:
    def fit(_: DictConfig) -> None:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            sys.exit(1)

    assert run(fit) == 130


def test_sweeps_are_kept_clean_where_hydra_has_not_scanned_its_plugins_yet(monkeypatch) -> None:
    monkeypatch.delitem(Singleton._instances, Plugins, raising=False)  # as at the start of a command
    take_over(lambda error: True)
    Plugins.instance()
    assert isinstance(basic_launcher.run_job, functools.partial)


@pytest.mark.parametrize("module", ["train", "evaluate", "phase", "orient"])
def test_two_commands_do_not_share_a_folder(tmp_path: Path, module: str) -> None:
    app = importlib.import_module(f"spi_lightning.apps.{module}")
    work = getattr(app, module)
    with folder_lock(tmp_path / "out"), pytest.raises(UserError, match="another run is using it"):
        work(OmegaConf.create({"folder": str(tmp_path / "out")}))
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())
