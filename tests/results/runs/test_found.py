"""Runs below the names of a command, whatever state their folders are in."""

import json
from pathlib import Path

import pytest

from spi_lightning.errors import UserError
from spi_lightning.results.runs import JOB, State, find_runs

CURVE = "epoch,step,train/loss,val/auroc,val/loss\n0,10,,0.6,0.7\n1,20,,0.8,0.5\n"


def training(folder: Path, numbers: object = None, config: str = "objective: val/auroc\n") -> Path:
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(config)
    (folder / "metrics.csv").write_text(CURVE)
    if numbers is not None:
        (folder / "metrics.json").write_text(json.dumps(numbers))
    return folder


def test_a_glob_over_everything_finds_each_run_once(tmp_path: Path) -> None:
    sweep = tmp_path / "shi" / "sweep_1"
    for number in (0, 1, 2, 10):
        training(sweep / str(number), {"val/auroc": 0.1 * number})
    (sweep / "multirun.yaml").touch()
    (tmp_path / "aborted").mkdir()
    (tmp_path / "shi" / "evaluation").mkdir()
    methods = {"methods": {"a": {"test/auroc": 0.5}, "b": {"test/auroc": 0.6}}}
    (tmp_path / "shi" / "evaluation" / "metrics.json").write_text(json.dumps(methods))
    found = find_runs([*sorted(tmp_path.iterdir()), sweep, *sorted(sweep.iterdir())])
    assert [(run.folder.name, run.method) for run in found.runs] == [
        *(("evaluation", method) for method in "ab"),
        *((name, "") for name in ("0", "1", "2", "10")),
    ]
    assert found.skipped == (tmp_path / "aborted",)
    assert {run.state for run in found.runs} == {State.FINISHED}


def test_a_pattern_that_no_shell_resolved_is_resolved(tmp_path: Path) -> None:
    for number in (2, 10):
        training(tmp_path / f"seed_{number}", {"val/auroc": 0.5})
    found = find_runs([tmp_path / "seed_*"])
    assert [run.folder.name for run in found.runs] == ["seed_2", "seed_10"]
    with pytest.raises(UserError, match="no such folder"):
        find_runs([tmp_path / "other_*"])


def test_states_of_runs(tmp_path: Path) -> None:
    training(tmp_path / "a_stopped")
    training(tmp_path / "b_pruned")
    (tmp_path / "b_pruned" / JOB).write_text('{"state": "pruned", "overrides": ["optimizer.lr=1"], "reason": "why"}')
    training(tmp_path / "c_damaged", "no object")
    training(tmp_path / "d_settings", {"val/auroc": 1.0}, "a: [\n")
    (training(tmp_path / "e_curves") / "metrics.csv").write_text("step,val/auroc\nx,y\n")
    (tmp_path / "f_job").mkdir()
    (tmp_path / "f_job" / JOB).write_text("[" * 100_000)
    stopped, pruned, damaged, settings, curves, job = find_runs([tmp_path]).runs
    assert stopped.state is State.UNFINISHED and stopped.numbers == {"val/auroc": 0.8, "val/loss": 0.5}
    assert pruned.state is State.PRUNED and pruned.words == {"optimizer.lr": "1"} and pruned.reason == "why"
    assert [each.state for each in (damaged, settings, curves)] == [State.FAILED] * 3
    assert "metrics.json" in damaged.reason and "config.yaml" in settings.reason and "metrics.csv" in curves.reason
    assert job.state is State.UNFINISHED and curves.curves == {}


@pytest.mark.parametrize("name", ["nowhere", "empty", "file"])
def test_names_without_a_run_are_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=name):
        find_runs([tmp_path / name])
