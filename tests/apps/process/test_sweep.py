"""Sweeps: named jobs, a table at the end, and only what is lacking when the command is given again."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from omegaconf import DictConfig

from spi_lightning.apps.process.entry import run_app
from spi_lightning.apps.process.job_folder import record
from spi_lightning.errors import UserError
from spi_lightning.files import write_json

CONF = Path(__file__).parents[3] / "conf"


@pytest.fixture
def sweep(tmp_path, monkeypatch, capsys) -> Callable[..., tuple[int, str, list[str]]]:
    """Sweep of a stand-in for a training in tmp_path/sweep: status, output, and the seeds that were trained."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")

    def call(*words: str, fails: int | None = None) -> tuple[int, str, list[str]]:
        trained: list[str] = []

        def train(cfg: DictConfig) -> float:
            trained.append(f"{cfg.seed}{' resumed' if cfg.resume else ''}")
            record(cfg)
            (Path(cfg.folder) / "metrics.csv").write_text(f"epoch,step,val/auroc\n0,1,0.{cfg.seed}\n")
            if cfg.seed == fails:
                raise UserError("no frames")
            write_json(Path(cfg.folder) / "metrics.json", {"val/auroc": cfg.seed / 10})
            return float(cfg.seed) / 10

        monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
        monkeypatch.setattr(sys, "argv", ["train", "-m", "hydra.sweep.dir=sweep", *words])
        status = 0
        try:
            run_app(train)
        except SystemExit as error:
            status = int(error.code or 0)
        return status, capsys.readouterr().out, trained

    return call


def test_a_sweep_ends_with_the_table_of_its_jobs(sweep, tmp_path) -> None:
    status, out, trained = sweep("seed=1,2", "optimizer.lr=0.5")
    assert (status, trained) == (0, ["1", "2"])
    assert sorted(path.name for path in (tmp_path / "sweep").iterdir()) == [
        *("comparison.csv", "multirun.yaml", "report.html", "seed-1", "seed-2")
    ]
    assert out.index("seed-2") < out.index("seed-1") and "sorted by val/auroc, largest first" in out
    assert "to go on" not in out


def test_the_same_command_does_only_what_is_lacking(sweep, tmp_path) -> None:
    status, out, trained = sweep("seed=1,2,3", fails=2)
    assert (status, trained) == (2, ["1", "2", "3"])
    assert "failed seed-2: no frames" in out and "repeat the command with out=sweep" in out
    assert json.loads((tmp_path / "sweep" / "seed-2" / "job.json").read_text())["state"] == "failed"
    (tmp_path / "sweep" / "seed-2" / "checkpoints").mkdir()
    (tmp_path / "sweep" / "seed-2" / "checkpoints" / "last.ckpt").touch()
    assert sweep("seed=1,2,3,4")[::2] == (0, ["2 resumed", "4"])
    assert sweep("seed=1,2,3,4")[::2] == (0, [])


def test_jobs_of_other_settings_are_not_taken_for_the_same(sweep, capsys) -> None:
    assert sweep("seed=1,2")[0] == 0
    status, _, trained = sweep("seed=1,2", "optimizer.lr=0.5")
    assert (status, trained) == (2, [])
