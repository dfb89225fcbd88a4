"""A run never overwrites a run of another kind, and an evaluation leaves nothing of an earlier one."""

import os
from pathlib import Path

import pytest

from spi_lightning.errors import UserError
from spi_lightning.tracking import clear_earlier, earlier_notes, require_free

TRAINING = {"trainer": {"max_epochs": 1}, "resume": None}
EVALUATION = {"methods": ["photon_count"]}


def run(folder: Path, config: str, *files: str) -> Path:
    for name in ("config.yaml", *files) if config else files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(config if name == "config.yaml" else "x")
    return folder


@pytest.mark.parametrize(
    ("stored", "files", "config", "line"),
    [
        ("trainer: {}", ["checkpoints/best.ckpt"], EVALUATION, "holds the training of an earlier run"),
        ("phasing: {}", [], EVALUATION, "holds the phasing of an earlier run"),
        ("methods: []", [], TRAINING, "holds the evaluation of an earlier run"),
        ("my: settings", [], EVALUATION, "holds a config.yaml that is of no run"),
        ("[broken", [], EVALUATION, "holds a config.yaml that is of no run"),
        ("trainer: {}", ["checkpoints/last.ckpt"], TRAINING, "holds an earlier training; resume="),
        ("trainer: {}", ["metrics.csv"], TRAINING, "holds an earlier training; resume="),
        ("", ["last.ckpt"], EVALUATION, "holds the checkpoints of a run"),
        ("", ["report.html"], EVALUATION, r"holds report\.html of no run"),
        ("", ["metrics.csv"], TRAINING, r"holds metrics\.csv of no run"),
        ("", ["versions.json"], {"phasing": {}}, r"holds versions\.json of no run"),
    ],
)
def test_a_folder_of_another_run_is_refused(tmp_path: Path, stored: str, files: list[str], config, line: str) -> None:
    with pytest.raises(UserError, match=line):
        require_free(run(tmp_path, stored, *files), config)


@pytest.mark.parametrize(
    ("stored", "files", "config"),
    [
        ("trainer: {}", ["checkpoints/last.ckpt"], TRAINING | {"resume": "."}),
        ("trainer: {}", [], TRAINING),
        ("methods: []", ["report.html"], EVALUATION),
        ("", ["metrics.csv", "checkpoints/last.ckpt"], TRAINING | {"resume": "."}),
        ("", ["thesis.tex", "notes.html"], EVALUATION),
    ],
)
def test_its_own_folder_is_taken(tmp_path: Path, stored: str, files: list[str], config) -> None:
    resumed = {key: str(tmp_path) for key in config if key == "resume"}
    require_free(run(tmp_path, stored, *files), {**config, **resumed})
    require_free(tmp_path / "new", config)


def test_an_evaluation_of_something_else_is_replaced_on_request_alone(tmp_path: Path) -> None:
    stored = "methods: [graph_cut]\ndata: {path: a.h5}\n"
    there = run(tmp_path, stored, "report.html")
    same = {"methods": ["graph_cut"], "data": {"path": "a.h5"}}
    require_free(there, {**same, "decision": {"threshold": 0.7}, "checkpoint": []})
    with pytest.raises(UserError, match=r"holds an evaluation of data.path=a.h5, not b.h5; overwrite=true replaces it"):
        require_free(there, {**same, "data": {"path": "b.h5"}})
    with pytest.raises(UserError, match=r"methods=graph_cut, not \[photon_count, graph_cut\]"):
        require_free(there, {**same, "methods": ["photon_count", "graph_cut"]})
    require_free(there, {"methods": ["photon_count"], "data": {"path": "b.h5"}, "overwrite": True})
    (there / "report.html").unlink()  # stopped before it had results
    require_free(there, {"methods": ["photon_count"], "data": {"path": "b.h5"}})


def test_an_evaluation_leaves_nothing_of_an_earlier_one_and_all_that_is_the_users(tmp_path: Path) -> None:
    ours = ["predictions.h5", "predictions.csv", "selection/common/index.txt", "densities/hio/a.cxi"]
    users = ["selection/mine.txt", "thesis.tex"]
    clear_earlier(run(tmp_path, "methods: []", *ours, *users))
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"config.yaml", *users} and not (tmp_path / "densities").exists()
    other = run(tmp_path / "other", "trainer: {}", *ours)
    clear_earlier(other)
    assert all((other / name).is_file() for name in ours)


def test_a_phasing_leaves_nothing_of_an_earlier_one(tmp_path: Path) -> None:
    ours = ["laboratory.npz", "laboratory.vti", "result.cxi", "phasing.h5", "metrics.json", "report.html"]
    clear_earlier(run(tmp_path, "phasing: {}", *ours, "thesis.tex", "laboratory_notes.txt"))
    assert {path.name for path in tmp_path.iterdir()} == {"config.yaml", "thesis.tex", "laboratory_notes.txt"}
    with pytest.raises(UserError, match=r"holds result\.cxi of no run"):
        require_free(run(tmp_path / "users", "", "result.cxi"), {"phasing": {}})
    require_free(tmp_path / "users", EVALUATION)


LEVELS = "[" * 3000 + "]" * 3000
BOMB = "a: &a [1]\n" + "".join(f"{b}: &{b} [{f'*{a},' * 9}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True))


@pytest.mark.parametrize(
    "config",
    [
        f"{BOMB}trainer: 1",
        f"x: {LEVELS}\ntrainer: 1",
        "x: !!python/object/apply:os.abort []\ntrainer: 1",
        "trainer: ${oc.env:HOME}",
        "trainer: 1\ntrainer: 2",
    ],
)
def test_of_settings_only_the_names_are_read(tmp_path: Path, config: str) -> None:
    with pytest.raises(UserError, match="holds the training of an earlier run"):
        require_free(run(tmp_path, config), EVALUATION)


@pytest.mark.parametrize("config", ["x: {trainer: 1}", "- trainer", "trainer", "x: trainer", "? [trainer]\n: 1", "\0"])
def test_names_further_in_are_no_settings(tmp_path: Path, config: str) -> None:
    with pytest.raises(UserError, match="of no run of this program"):
        require_free(run(tmp_path, config), EVALUATION)


@pytest.mark.parametrize(("config", "name"), [("phasing: {}", "result.cxi"), ("methods: []", "report.html")])
def test_what_will_be_replaced_is_named_with_its_date(tmp_path: Path, config: str, name: str) -> None:
    folder = run(tmp_path / "run", config, name)
    os.utime(folder / name, (1.7e9, 1.7e9))
    (line,) = map(str, earlier_notes(folder))
    assert line.startswith(f"WARNING: folder={folder}: holds an earlier ") and f"({name} of 2023-11-1" in line
    assert line.endswith("give another folder with out=")


@pytest.mark.parametrize("config", ["", "phasing: {}", "methods: []", "trainer: {}"])
def test_a_fresh_folder_has_no_notes(tmp_path: Path, config: str) -> None:
    assert earlier_notes(tmp_path / "new") == [] == earlier_notes(run(tmp_path, config, "thesis.tex"))
