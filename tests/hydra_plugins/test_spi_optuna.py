"""Searches by Optuna: their space, their storage, what goes on and what is pruned."""

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

optuna = pytest.importorskip("optuna")

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution  # noqa: E402
from optuna.trial import TrialState  # noqa: E402

from hydra_plugins.spi_optuna._space import grid_of, search_space, words_of  # noqa: E402
from spi_lightning.apps.process.entry import run_app  # noqa: E402
from spi_lightning.apps.train import train  # noqa: E402
from spi_lightning.errors import UserError  # noqa: E402
from tests.apps.small_runs import NARROW, SIMULATED, SMALL  # noqa: E402


@pytest.mark.parametrize(
    ("word", "distribution"),
    [
        ("a=interval(0.0,0.5)", FloatDistribution(0, 0.5)),
        ("a=tag(log,interval(1e-4,1e-2))", FloatDistribution(1e-4, 1e-2, log=True)),
        ("a=int(interval(1,8))", IntDistribution(1, 8)),
        ("a=range(1,8,2)", IntDistribution(1, 7, step=2)),
        ("a=range(0.0,1.0,0.25)", FloatDistribution(0, 0.75, step=0.25)),
        ("a=1,2.5,x", CategoricalDistribution((1, 2.5, "x"))),
        ("a=null,true", CategoricalDistribution(("null", True))),
    ],
)
def test_the_search_space_is_what_hydra_says(word: str, distribution: object) -> None:
    space, fixed = search_space(["a=interval(5,6)", word, "+b.c=3"])
    assert space == {"a": distribution} and fixed == ["+b.c=3"]
    assert search_space([word, "a=7"]) == ({}, ["a=7"])


def test_what_cannot_be_searched_is_one_line() -> None:
    with pytest.raises(UserError, match=r"a=interval\(2,1\): cannot be searched"):
        search_space(["a=interval(2,1)"])
    with pytest.raises(UserError, match="no intervals without a step"):
        grid_of(FloatDistribution(0, 1))
    assert grid_of(IntDistribution(1, 7, step=3)) == [1, 4, 7]


def test_words_of_a_trial_are_read_back() -> None:
    assert words_of({"a": None, "b.c": 0.1, "d": "x"}) == ["a=null", "b.c=0.1", "d=x"]


@pytest.fixture
def search(tmp_path: Path, monkeypatch, capsys) -> Callable[..., tuple[int, str]]:
    """Search with tiny trainings in tmp_path/sweep: exit status, and what was printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "140")
    small = [*SMALL, *NARROW, *SIMULATED, "data.num_workers=0", f"data.cache_dir={tmp_path / 'cache'}"]

    def call(*words: str) -> tuple[int, str]:
        monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
        command = ["train", "-m", *small, "trainer.max_epochs=2", "sweep=optuna_classifier", "hydra.sweep.dir=sweep"]
        monkeypatch.setattr(sys, "argv", [*command, *words])
        try:
            run_app(train)
        except SystemExit as error:
            return int(error.code or 0), "".join(capsys.readouterr())
        return 0, "".join(capsys.readouterr())

    return call


def states(folder: Path) -> list[TrialState]:
    (study,) = optuna.study.get_all_study_names(f"sqlite:///{folder}/optuna.db")
    return [
        trial.state for trial in optuna.load_study(study_name=study, storage=f"sqlite:///{folder}/optuna.db").trials
    ]


def test_a_search_goes_on_from_its_storage_and_prunes(search, tmp_path: Path) -> None:
    status, out = search("hydra.sweeper.n_trials=2")
    assert status == 0, out
    folder = tmp_path / "sweep"
    first = yaml.safe_load((folder / "optimization_results.yaml").read_text())
    assert set(first["best_params"]) == {"optimizer.lr", "loss.smoothing", "network.dropout"}
    measured = [json.loads(path.read_text())["val/auroc"] for path in folder.glob("00*/metrics.json")]
    assert len(measured) == 2 and first["best_value"] == max(measured)

    # no number reaches 2: the third trial is pruned at its first validation
    pruned = ["callbacks.prune.pruner=ThresholdPruner", "callbacks.prune.options={lower: 2.0}"]
    status, out = search("hydra.sweeper.n_trials=3", *pruned)
    assert status == 0, out
    assert states(folder) == [TrialState.COMPLETE] * 2 + [TrialState.PRUNED]
    rows = list(csv.DictReader((folder / "comparison.csv").open()))
    assert [row["state"] for row in rows] == ["finished", "finished", "pruned"]
    assert "is behind other trials" in rows[2]["reason"] and "pruned" in out
    assert len({row["optimizer.lr"] for row in rows}) == 3  # a search that goes on does not draw the same again
    assert len((folder / rows[2]["run"].rpartition("/")[2] / "metrics.csv").read_text().splitlines()) < 4

    status, out = search("hydra.sweeper.n_trials=3")
    assert status == 0 and len(states(folder)) == 3 and "949 weights" not in out


def test_a_search_that_is_refused_leaves_nothing(search, tmp_path: Path) -> None:
    status, out = search("network.dropout=7", "hydra.sweeper.n_trials=2")
    assert status == 2 and "network.dropout=7 must lie between 0 and 1" in out
    assert not list(tmp_path.glob("sweep/*/*")) and not (tmp_path / "sweep" / "optuna.db").exists()
    status, out = search("hydra.sweeper.n_jobs=2")
    assert status == 2 and "n_jobs=2: Hydra's own launcher runs one job after the other" in out
    status, out = search("hydra.sweeper.direction=sideways")
    assert status == 2 and out.count("error: ") == 1 and "sideways" in out
    status, out = search("callbacks.prune.pruner=None_Such", "hydra.sweeper.n_trials=1")
    assert status == 2 and "optuna.pruners has no such class" in out
