import errno
from pathlib import Path

import pytest
from pytorch_lightning.loggers import TensorBoardLogger

from spi_lightning.errors import UserError
from spi_lightning.tracking import Tracking, WandbRun
from spi_lightning.tracking.loggers import FolderCSVLogger


def test_csv_is_always_written_and_a_resumed_run_adds_to_it(tmp_path: Path) -> None:
    for step, extra in ((1, {}), (2, {"val/auroc": 0.9})):
        (logger,) = Tracking().loggers(tmp_path, {}, steps=step)
        logger.log_metrics({"train/loss": 1 / step, **extra}, step)
        Tracking().finish([logger], {})
    lines = (tmp_path / "metrics.csv").read_text().split()
    assert lines == ["step,train/loss,val/auroc", "1,1.0,", "2,0.5,0.9"]


LOG = "epoch,step,train/loss\r\n0,1,0.5\r\n0,2,0.25\r\n0,3,0.125\r\n"


@pytest.mark.parametrize(
    ("written", "steps", "left"),
    [
        (LOG, 3, ["0,1,0.5", "0,2,0.25"]),  # the row of step 3 will be logged again
        (LOG + "0,4,0.0", 9, ["0,1,0.5", "0,2,0.25", "0,3,0.125"]),  # a row cut by a kill
        (LOG + "0,4,0.01,7,5,0.1\r\n", 9, ["0,1,0.5", "0,2,0.25", "0,3,0.125"]),  # one glued to the next
        (LOG.replace("2,0.25", "x,0.25"), 9, ["0,1,0.5", "0,3,0.125"]),
        (LOG[:9], 9, []),
        ("", 9, []),
    ],
)
def test_a_run_taken_up_cuts_its_log_back_to_whole_rows_of_what_it_has(tmp_path: Path, written, steps, left) -> None:
    (tmp_path / "metrics.csv").write_bytes(written.encode())
    logger = FolderCSVLogger(tmp_path, steps)
    logger.log_metrics({"epoch": 0, "train/loss": 0.5}, steps)
    assert (tmp_path / "metrics.csv").read_text().split() == ["epoch,step,train/loss", *left, f"0,{steps},0.5"]


@pytest.mark.parametrize(
    ("written", "left"),
    [
        ("epoch,step,train/loss,mine\r\n0,1,0.5,7\r\n", ["epoch,mine,step,train/loss", "0,7,1,0.5", "0,,2,0.25"]),
        ("step,train/loss,epoch\n1,0.5,0\n", ["epoch,step,train/loss", "0,1,0.5", "0,2,0.25"]),
        ("\ufeffepoch,step,train/loss\n0,1.0,0.5\n", ["epoch,step,train/loss", "0,1.0,0.5", "0,2,0.25"]),
        ("epoch,step,train/loss\n0,nan,0.5\n0,inf,0.5\n0,-1,0.5\n", ["epoch,step,train/loss", "0,2,0.25"]),
    ],
)
def test_a_log_that_was_edited_by_hand_keeps_its_columns_apart(tmp_path: Path, written: str, left: list[str]) -> None:
    (tmp_path / "metrics.csv").write_bytes(written.encode())
    FolderCSVLogger(tmp_path, 2).log_metrics({"epoch": 0, "train/loss": 0.25}, 2)
    assert (tmp_path / "metrics.csv").read_text().split() == left


def test_the_row_of_an_epoch_that_ended_with_the_checkpoint_is_added_once(tmp_path: Path) -> None:
    row = {"epoch": 0, "step": 3, "val/loss": 0.75}
    for _ in range(2):
        (tmp_path / "metrics.csv").write_text(LOG)
        for _ in range(2):
            FolderCSVLogger(tmp_path, 4, row).experiment  # noqa: B018
    lines = (tmp_path / "metrics.csv").read_text().split()
    assert lines == ["epoch,step,train/loss,val/loss", "0,1,0.5,", "0,2,0.25,", "0,3,0.125,", "0,3,,0.75"]


def test_a_new_run_begins_its_log_anew(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text(LOG)
    FolderCSVLogger(tmp_path).log_metrics({"train/loss": 1.0}, 7)
    assert (tmp_path / "metrics.csv").read_text().split() == ["step,train/loss", "7,1.0"]


def test_tensorboard_by_one_word(tmp_path: Path) -> None:
    loggers = Tracking([TensorBoardLogger(str(tmp_path), name="tensorboard", version="")]).loggers(tmp_path, {})
    for logger in loggers:
        logger.log_metrics({"train/loss": 1.0}, 1)
    Tracking().finish(loggers, {})
    assert list((tmp_path / "tensorboard").glob("events*"))


def test_offline_runs_can_be_sent_later(tmp_path: Path) -> None:
    tracking = Tracking([WandbRun(str(tmp_path))])
    loggers = tracking.loggers(tmp_path, {"seed": 1})
    loggers[-1].log_metrics({"train/loss": 1.0}, 1)
    tracking.finish(loggers, {"test/auroc": 0.9})
    assert list((tmp_path / "wandb").glob("offline-run-*/run-*.wandb"))


def test_unknown_modes_list_the_choices(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="disabled, offline, online"):
        WandbRun(str(tmp_path), mode="sometimes")


def test_a_full_disk_names_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pytorch_lightning.loggers.csv_logs import ExperimentWriter

    def full(_: ExperimentWriter) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")  # as a write says it, which knows no name

    (logger,) = Tracking().loggers(tmp_path, {})
    monkeypatch.setattr(ExperimentWriter, "save", full)
    with pytest.raises(UserError, match=r"metrics\.csv: cannot be written, the disk is full"):
        logger.log_metrics({"a": 1.0}, 0)


def test_a_resumed_run_goes_on_in_the_same_run_of_weights_and_biases(tmp_path: Path) -> None:
    runs = []
    for steps in (None, 5, None):
        tracking = Tracking([run := WandbRun(str(tmp_path))])
        loggers = tracking.loggers(tmp_path, {}, steps)
        runs.append(run.experiment.id)
        tracking.finish(loggers, {})
    assert runs[0] == runs[1] != runs[2]
