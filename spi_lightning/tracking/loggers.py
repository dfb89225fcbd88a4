"""Loggers of a run: metrics.csv always, Weights & Biases and TensorBoard by choice.

metrics.csv is written row by row, and truncated without partial rows when a run is resumed.
"""

import csv
import os
import shutil
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning_fabric.loggers.csv_logs import _ExperimentWriter
from pytorch_lightning.loggers import CSVLogger, Logger, TensorBoardLogger, WandbLogger
from pytorch_lightning.loggers.csv_logs import ExperimentWriter

from spi_lightning.errors import UserError
from spi_lightning.files import atomic_write, complete_lines, remove_empty, write_error

Row = Mapping[str, Any]


class FolderCSVLogger(CSVLogger):
    """CSV logger that writes metrics.csv into the run folder, each row as soon as it is logged.

    Args:
        folder: Run folder of the log.
        steps: Steps done in the checkpoint of a resumed run; later rows are removed, as they are logged again. None: a
            new run with an empty file.
        last: Row of an epoch that ended with the checkpoint, which may not have been logged; added if missing.
    """

    def __init__(self, folder: str | Path, steps: int | None = None, last: Row | None = None) -> None:
        super().__init__(save_dir=str(folder), name="", version="", flush_logs_every_n_steps=1)
        self._steps, self._last = steps, dict(last or {})

    @property
    def experiment(self) -> _ExperimentWriter:
        """Writer of the log, opened on first use."""
        if self._experiment is None:
            Path(self.log_dir).mkdir(parents=True, exist_ok=True)
            cut_back(Path(self.log_dir) / ExperimentWriter.NAME_METRICS_FILE, self._steps, self._last)
            self._experiment = _ContinuingWriter(self.log_dir)
        return self._experiment


class _ContinuingWriter(ExperimentWriter):
    """Writer that appends to the log of an earlier part of the run, which Lightning's would delete."""

    def _check_log_dir_exists(self) -> None:
        self.metrics_keys = list(read_rows(Path(self.metrics_file_path))[0])

    def save(self) -> None:
        """Append the rows; UserError if the disk is full."""
        try:
            super().save()
        except OSError as error:
            raise write_error(self.metrics_file_path, error) from error

    def _rewrite_with_new_header(self, fieldnames: list[str]) -> None:
        path = Path(self.metrics_file_path)
        _write_rows(path, fieldnames, read_rows(path)[1])


def cut_back(path: Path, steps: int | None, last: Row) -> None:
    """Truncate a metrics.csv to complete rows of the steps before ``steps`` (None: none); add a missing last row."""
    if steps is None:
        path.unlink(missing_ok=True)
        return
    names, rows = read_rows(path)
    kept = [row for row in rows if 0 <= _step(row) < steps]
    missing = {name: str(value) for name, value in last.items()}
    if missing and not any(_step(row) == _step(missing) and set(missing) <= _filled(row) for row in kept):
        kept.append(missing)
        names = [*names, *(name for name in missing if name not in names)]
    _write_rows(path, sorted(names), kept)  # in which order Lightning's writer appends


def read_rows(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """Columns and complete rows of a metrics.csv; both empty if the file is absent."""
    lines = list(csv.reader(complete_lines(path).removeprefix("\ufeff").splitlines())) if path.is_file() else []
    names = lines[0] if lines else []
    return names, [dict(zip(names, line, strict=True)) for line in lines[1:] if len(line) == len(names)]


def _step(row: Row) -> float:
    """Step of a row, also as spreadsheets write it; -1 for an invalid one."""
    try:
        step = float(row.get("step", ""))
    except ValueError:
        return -1
    return step if step.is_integer() else -1


def _filled(row: Row) -> set[str]:
    return {name for name, value in row.items() if value != ""}


def _write_rows(path: Path, names: list[str], rows: list[dict[str, str]]) -> None:
    with atomic_write(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=names, restval="")
        writer.writeheader()
        writer.writerows(rows)


WANDB_MODES = ("disabled", "offline", "online")


@dataclass
class Tracking:
    """Configuration of the loggers of a run.

    Args:
        wandb: Mode of Weights & Biases: ``offline`` (default: files in the run folder, sent later by ``wandb sync``),
            ``online`` or ``disabled``.
        tensorboard: Whether to write TensorBoard files too.
        project: Name of the project in Weights & Biases.

    Raises:
        UserError: The mode is unknown, or ``online`` has no login.
    """

    wandb: str = "offline"
    tensorboard: bool = False
    project: str = "spi_lightning"

    def __post_init__(self) -> None:
        self._before: Collection[Path] = ()  # files of TensorBoard that an earlier part of the run has written
        if self.wandb not in WANDB_MODES:
            raise UserError(f"tracking.wandb={self.wandb} is unknown: choose one of {', '.join(WANDB_MODES)}")

    def loggers(
        self,
        folder: str | Path,
        name: str,
        config: Mapping[str, Any],
        steps: int | None = None,
        last: Row | None = None,
    ) -> list[Logger]:
        """Open the loggers of a run in its folder, with the resolved config where they display one.

        ``steps`` and ``last`` are those of a resumed run, see FolderCSVLogger.
        """
        found: list[Logger] = [FolderCSVLogger(folder, steps, last)]
        if self.tensorboard:
            found.append(TensorBoardLogger(str(folder), name="tensorboard", version=""))
            self._before = set((Path(folder) / "tensorboard").glob("*"))
        if self.wandb != "disabled":
            found.append(self._wandb(Path(folder), name, None if steps is None else _last_run(Path(folder))))
            found[-1].log_hyperparams(dict(config))
        return found

    def finish(self, loggers: list[Logger], numbers: Mapping[str, float], checkpoint: Path | None = None) -> None:
        """Log the final numbers and the best checkpoint to Weights & Biases, and close every log."""
        for logger in loggers:
            if isinstance(logger, WandbLogger):
                self._finish_wandb(logger, numbers, checkpoint)
            else:
                logger.finalize("success")

    def discard(self, loggers: list[Logger]) -> None:
        """Remove the logs of Weights & Biases and TensorBoard of a run that failed before its first step."""
        for logger in loggers:
            if isinstance(logger, TensorBoardLogger):
                _remove_events(logger, self._before)
            if isinstance(logger, WandbLogger) and isinstance(
                directory := getattr(logger._experiment, "dir", None), str
            ):
                _remove_run(Path(directory).parent)

    def _wandb(self, folder: Path, name: str, run: str | None) -> WandbLogger:
        """Logger of a new run of Weights & Biases, or of the one with the identifier ``run``."""
        from wandb.errors import Error

        folder.mkdir(parents=True, exist_ok=True)
        if self.wandb == "offline":
            os.environ.setdefault("WANDB_SILENT", "true")  # its summary repeats ours
        logger = WandbLogger(
            project=self.project,
            name=f"{name}/{folder.name}",
            save_dir=str(folder),
            mode=self.wandb,
            id=run,
            resume=None if run is None else "allow",
        )
        logger._wandb_init.pop("anonymous", None)  # Lightning always passes it, and wandb then warns of it
        try:
            logger.experiment  # noqa: B018  a login that fails must fail here
        except Error as error:
            line = str(error).splitlines()[0]
            raise UserError(f"tracking={self.wandb}: Weights & Biases says {line!r}; or tracking=offline") from error
        return logger

    def _finish_wandb(self, logger: WandbLogger, numbers: Mapping[str, float], checkpoint: Path | None) -> None:
        import wandb

        run = logger.experiment
        run.summary.update(dict(numbers))
        if checkpoint is not None:
            artifact = wandb.Artifact(f"checkpoint-{run.id}", type="checkpoint")
            artifact.add_file(str(checkpoint))
            run.log_artifact(artifact)
        wandb.finish()


def _last_run(folder: Path) -> str | None:
    """Identifier of the newest run of Weights & Biases in a run folder; None where there is none."""
    runs = sorted((folder / "wandb").glob("*run-*-*"), key=lambda path: path.name.partition("run-")[2])
    return runs[-1].name.rpartition("-")[2] if runs else None


def _remove_events(logger: TensorBoardLogger, before: Collection[Path]) -> None:
    """Close a TensorBoard log and delete its files, and its folder if empty."""
    if logger._experiment is not None:
        logger._experiment.close()
    folder = Path(str(logger.log_dir))
    for path in set(folder.glob("*")) - set(before):
        path.unlink(missing_ok=True)
    remove_empty([folder])


def _remove_run(run: Path) -> None:
    """Close a wandb run and delete its folder, the links to it, and the folder of runs if it was the only one."""
    import wandb

    wandb.finish(exit_code=1)
    shutil.rmtree(run, ignore_errors=True)
    for link in run.parent.iterdir():
        if link.is_symlink() and not link.exists():
            link.unlink()
    with suppress(OSError):  # other runs are there
        run.parent.rmdir()
