"""A user's mistake is one line on stderr and status 2, whatever part of the program found it."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus
from hydra.utils import instantiate
from omegaconf import OmegaConf
from omegaconf.errors import InterpolationKeyError

from spi_lightning.apps.configuration.choose_methods import method_folders
from spi_lightning.apps.configuration.mistake_lines import one_line
from spi_lightning.apps.process import entry
from spi_lightning.errors import UserError
from spi_lightning.methods import MethodLibrary
from tests.apps.small_runs import CONF, small_config

TRAIN = CONF.parent / "train.py"


def raised(make: Callable[[], object]) -> BaseException:
    """The error of a call that must fail."""
    with pytest.raises(Exception) as caught:
        make()
    return caught.value


def test_the_real_door_prints_one_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(TRAIN), "network=resnet99"], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 2 and done.stdout == ""
    assert re.fullmatch(
        r"error: network=resnet99 is unknown: choose one of .*, resnet10, .*tiny_cnn.*\.\n", done.stderr
    )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", [[str(TRAIN)], ["-m", "spi_lightning", "describe", "x.h5"]])
def test_a_working_folder_that_was_removed(tmp_path: Path, command: list[str]) -> None:
    script = 'mkdir "$0" && cd "$0" && rmdir "$0" && exec "$@"'
    words = ["sh", "-c", script, str(tmp_path / "gone"), sys.executable, *command]
    variables = {**os.environ, "PYTHONPATH": str(TRAIN.parent)}
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, env=variables)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr == "error: the working folder no longer exists; change to another one (cd)\n"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("network=foo", r"network=foo is unknown: choose one of .*, resnet10, .*tiny_cnn.*\.$"),
        ("loss=foo", r"loss=foo is unknown: choose one of binary_cross_entropy, cross_entropy, general"),
        ("data.colour=red", r"data\.colour is not a setting here; there are data\.\w+, .*add it\)$"),
        (
            "data.path=frames.h5",
            r"data\.path is not a setting here; .*\(data=hits data\.path=FILE reads patterns of a file\)$",
        ),
        ("trainer.max_step=3", r"trainer\.max_step is not a setting here; did you mean trainer\.max_steps"),
        ("a=b=c", r"cannot read the override 'a=b=c'"),
    ],
)
def test_hydra_errors_are_one_line(tmp_path: Path, override: str, message: str) -> None:
    line = one_line(raised(lambda: small_config(tmp_path, override)))
    assert line is not None and "\n" not in line and re.match(message, line)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"_target_": "no_lab.Net"}, r"no_lab\.Net cannot be imported: put the folder that holds no_lab on PYTHONPATH"),
        (
            {"_target_": "spi_lightning.networks.Nt"},
            r"spi_lightning\.networks\.Nt cannot be imported: .*No module named.*",
        ),
        (
            {"_target_": "spi_lightning.networks.TinyCNN", "varant": 1},
            r"(net\.)?varant is not a setting of spi_lightning\.networks\.\S*TinyCNN; there are variant.*",
        ),
    ],
)
def test_a_yaml_that_names_what_is_not_there_is_one_line(settings: dict[str, object], message: str) -> None:
    for part in (settings, {"net": settings}):
        line = one_line(raised(lambda part=part: instantiate(part)))
        assert line is not None and re.fullmatch(message, line), line


def test_a_setting_of_another_group_is_named() -> None:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        line = one_line(raised(lambda: compose("evaluate", overrides=["data=one_scan", "data.size=32"])))
        plain = one_line(raised(lambda: compose("evaluate", overrides=["settings.gradient=3"])))
    assert line is not None and "did you mean data.preparation.size" in line
    assert plain is not None and "+settings.gradient=3" in plain


def test_the_reason_is_found_behind_whatever_wraps_it() -> None:
    def wrapped() -> None:
        try:
            raise UserError("data.path=x.h5: there is no such file")
        except UserError as error:
            raise RuntimeError("worker 3 died") from error

    assert one_line(raised(wrapped)) == "data.path=x.h5: there is no such file"
    from_worker = UserError(
        "Caught UserError in DataLoader worker 0.\nTraceback\nspi_lightning.errors.UserError: bad frame 3"
    )
    assert one_line(from_worker) == "bad frame 3"
    missing = raised(lambda: OmegaConf.create({"data": {"path": "???"}}).data.path)
    assert one_line(missing) == "data.path has no value: add data.path=... to the command."


def test_a_refused_job_of_a_sweep_is_named_by_its_number() -> None:
    def job(mode: str, error: Exception) -> JobReturn:
        settings = OmegaConf.create({"hydra": {"mode": mode, "job": {"num": 3}}})
        made = JobReturn(overrides=["seed=7"], hydra_cfg=settings, status=JobStatus.FAILED)
        made._return_value = error
        return made

    for mode, line in (("MULTIRUN", "job 3 of the sweep (seed=7): no such file"), ("RUN", "no such file")):
        failed = raised(lambda mode=mode: entry._value_or_error(job(mode, UserError("no such file"))))  # type: ignore[misc]
        assert one_line(failed) == line
    assert isinstance(raised(lambda: entry._value_or_error(job("MULTIRUN", ZeroDivisionError()))), ZeroDivisionError)


def test_methods_on_the_search_path_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "method").mkdir()
    mine = tmp_path / "method" / "mine.yaml"
    mine.write_text((CONF / "method" / "photon_count.yaml").read_text())
    with initialize_config_dir(str(CONF), version_base="1.3"):
        words = [f"hydra.searchpath=[file://{tmp_path}]"]
        monkeypatch.setattr(HydraConfig.instance(), "cfg", compose("evaluate", words, return_hydra_config=True))
    library = MethodLibrary("hits", method_folders(), instantiate, lambda experiment, overrides: None)
    assert library.file("mine") == mine and "mine" in library.names() and library.kind_of("mine") == "hits"
    assert library.file("photon_count") == CONF / "method" / "photon_count.yaml" and library.file("other") is None


def test_our_own_faults_keep_their_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def report(_: object = None) -> None:
        raise ZeroDivisionError

    assert one_line(raised(report)) is None
    monkeypatch.setattr("sys.argv", ["spi", "run=x"])
    monkeypatch.setenv(entry.FULL_ERROR, "0")
    with pytest.raises(ZeroDivisionError):
        entry.run_app(report)


def test_status_is_two_and_the_line_on_stderr(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def report(_: object) -> None:
        raise UserError("data.batch_size=0 must be 1 or more.")

    monkeypatch.setattr("sys.argv", ["spi", "run=x"])
    monkeypatch.setenv(entry.FULL_ERROR, "0")
    with pytest.raises(SystemExit) as left:
        entry.run_app(report)
    assert left.value.code == 2 and capsys.readouterr().err == "error: data.batch_size=0 must be 1 or more.\n"
    monkeypatch.setenv(entry.FULL_ERROR, "1")
    with pytest.raises(UserError):
        entry.run_app(report)


def test_a_resumed_run_stays_in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run/checkpoints").mkdir(parents=True)
    last = tmp_path / "run/checkpoints/last.ckpt"
    last.touch()
    position = "${run_folder:${resume},runs/new}"
    for resume, folder in (
        (str(tmp_path / "run"), tmp_path / "run"),
        (str(last), tmp_path / "run"),
        (None, "runs/new"),
    ):
        assert OmegaConf.create({"resume": resume, "place": position}).place == str(folder)
    with pytest.raises(Exception, match="no such file, run folder or weights"):
        _ = OmegaConf.create({"resume": "nowhere", "place": position}).place


def test_an_interpolation_that_leads_nowhere_names_its_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["evaluate.py", "seed=1", "data.path='a${b}.cxi'"])
    line = one_line(InterpolationKeyError("Interpolation key 'b' not found"))
    assert line is not None and line.startswith("data.path='a${b}.cxi': Interpolation key 'b' not found; ${...} stands")


def test_memory_that_is_not_there_and_a_group_without_a_choice_are_one_line() -> None:
    line = one_line(RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes."))
    assert line is not None and line.startswith("there is not enough memory (tried to allocate 99 bytes)")
    line = one_line(ValueError("Config group override must be a string or a list. Got NoneType"))
    assert line is not None and line.startswith("a group of settings takes the name of one of its choices")
