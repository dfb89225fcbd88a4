"""Loggers by one word of train.py: what each leaves in the run folder, also after a resumption."""

from importlib.util import find_spec
from pathlib import Path

import pytest
from hydra.errors import InstantiationException

from spi_lightning.apps.configuration.mistake_lines import one_line
from spi_lightning.apps.train import train
from tests.apps.small_runs import small_config


@pytest.mark.filterwarnings("ignore")
def test_a_resumed_training_goes_on_in_the_same_run_of_weights_and_biases(tmp_path: Path) -> None:
    train(small_config(tmp_path, "tracking=offline", "trainer.max_epochs=1"))
    train(small_config(tmp_path, "tracking=offline", "trainer.max_epochs=2", f"resume={tmp_path / 'run'}"))
    parts = [path.name.rpartition("-")[2] for path in (tmp_path / "run/wandb").glob("offline-run-*")]
    assert len(parts) >= 1 and len(set(parts)) == 1
    files = list((tmp_path / "run/wandb").glob("offline-run-*/run-*.wandb"))
    assert {path.stem.removeprefix("run-") for path in files} == set(parts)


@pytest.mark.filterwarnings("ignore")
def test_tensorboard_by_one_word(tmp_path: Path) -> None:
    train(small_config(tmp_path, "tracking=tensorboard", "trainer.max_epochs=1"))
    assert list((tmp_path / "run/tensorboard").glob("events*")) and not (tmp_path / "run/wandb").exists()


@pytest.mark.filterwarnings("ignore")
def test_mlflow_by_one_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no part of the environment of the tests: this one runs where it is installed beside them."""
    tracking = pytest.importorskip("mlflow").tracking
    monkeypatch.chdir(tmp_path)
    numbers = train(small_config(tmp_path, "tracking=mlflow", "trainer.max_epochs=1"))
    train(small_config(tmp_path, "tracking=mlflow", "trainer.max_epochs=2", f"resume={tmp_path / 'run'}"))
    client = tracking.MlflowClient(f"sqlite:///{tmp_path}/run/mlflow.db")
    runs = client.search_runs([client.get_experiment_by_name("spi_lightning").experiment_id])
    assert len(runs) == 2 and numbers
    assert all({"val/loss", "val/auroc"} <= set(run.data.metrics) and run.data.params for run in runs)
    assert not (tmp_path / "mlruns").exists()


@pytest.mark.skipif(find_spec("mlflow") is not None, reason="mlflow is installed")
def test_a_package_that_is_missing_is_one_line_with_its_remedy(tmp_path: Path) -> None:
    with pytest.raises(InstantiationException) as refused:
        train(small_config(tmp_path, "tracking=mlflow", "trainer.max_epochs=1"))
    assert one_line(refused.value) == "mlflow is not installed: pip install mlflow"
    assert not (tmp_path / "run").exists()
