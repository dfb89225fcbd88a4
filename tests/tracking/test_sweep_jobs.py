"""Jobs of a sweep: their names, marks, and what is not repeated."""

import json
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from spi_lightning.errors import UserError
from spi_lightning.results.runs import JOB, State
from spi_lightning.tracking.sweep_jobs import finished_job, job_name, mark_job, remove_refused


@pytest.mark.parametrize(
    ("words", "varied", "name"),
    [
        (["optimizer.lr=0.01", "seed=1", "trainer.max_epochs=3"], {"optimizer.lr", "seed"}, "lr-0.01_seed-1"),
        (["a.lr=1", "b.lr=2"], {"a.lr", "b.lr"}, "a.lr-1_b.lr-2"),
        (["network=tiny_cnn"], {"network"}, "network-tiny_cnn"),
        (["+x.y='3'"], {"x.y"}, "y-3"),
        (["optimizer.lr=0.00123456789"], {"optimizer.lr"}, "lr-0.001235"),
        (["seed=1"], set(), ""),
    ],
)
def test_names_say_what_varies(words: list[str], varied: set[str], name: str) -> None:
    assert job_name(words, varied) == name


def test_names_are_folders_of_their_own() -> None:
    paths = [job_name([f"data.path=/data/{run}/frames.h5"], {"data.path"}) for run in "ab"]
    assert paths[0] != paths[1] and all("/" not in path and path.startswith("path-frames.h5_") for path in paths)
    for value in ("[1,2]", "'a b'", "..", "x" * 300, "${y}", "ä,b"):
        name = job_name([f"a={value}"], {"a"})
        assert OverridesParser.create().parse_override(f"checkpoint=[runs/{name},b]").value() == [f"runs/{name}", "b"]
        assert len(name) < 100 and not set(name) & set("/,[]{}$ '\"") and name != ".."


def test_a_finished_job_is_known_by_its_words(tmp_path: Path) -> None:
    job = tmp_path / "lr=1"
    assert finished_job(job, ["lr=1"]) is None
    mark_job(job, State.UNFINISHED, ["lr=1", "seed=2"])
    assert finished_job(job, ["seed=2", "lr=1"]) is None
    (job / "metrics.json").write_text('{"val/auroc": 0.7}')
    run = finished_job(job, ["seed=2", "lr=1"])
    assert run is not None and run.numbers["val/auroc"] == 0.7
    with pytest.raises(UserError, match=r"other settings \(seed=2, seed=3\)"):
        finished_job(job, ["lr=1", "seed=3"])
    mark_job(job, State.FAILED, ["lr=1", "seed=2"], "val/x was not measured")
    assert finished_job(job, ["lr=1", "seed=2"]) is None
    assert json.loads((job / JOB).read_text())["reason"] == "val/x was not measured"


def test_jobs_that_never_began_leave_nothing_if_all_were_refused(tmp_path: Path) -> None:
    for name in ("a", "b"):
        mark_job(tmp_path / name, State.FAILED, [])
    (tmp_path / "b" / "config.yaml").touch()
    remove_refused(tmp_path)
    assert (tmp_path / "a" / JOB).is_file()
    (tmp_path / "b" / "config.yaml").unlink()
    remove_refused(tmp_path)
    assert list(tmp_path.iterdir()) == []
