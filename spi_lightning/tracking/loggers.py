"""Log of a run in metrics.csv, which every run has, and the loggers of its configuration beside it.

metrics.csv is written row by row, and truncated without partial rows when a run is resumed.
"""

import csv
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from lightning_fabric.loggers.csv_logs import _ExperimentWriter
from pytorch_lightning.loggers import CSVLogger, Logger, MLFlowLogger, TensorBoardLogger, WandbLogger
from pytorch_lightning.loggers.csv_logs import ExperimentWriter

from spi_lightning.files import atomic_write, complete_lines, remove_empty, write_error

from .wandb_run import WandbRun

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


class Tracking:
    """Loggers of a run: metrics.csv, and those that its settings name.

    Args:
        chosen: Loggers of Lightning's kind, of which those of Weights & Biases are opened, resumed and finished here.
    """

    def __init__(self, chosen: Iterable[Logger] = ()) -> None:
        self.chosen = list(chosen)
        self._before: Collection[Path] = ()  # files of TensorBoard that an earlier part of the run has written

    def loggers(
        self, folder: str | Path, config: Mapping[str, Any], steps: int | None = None, last: Row | None = None
    ) -> list[Logger]:
        """Open the loggers of a run in its folder, with the resolved config where they display one.

        ``steps`` and ``last`` are those of a resumed run, see FolderCSVLogger.
        """
        for logger in self.chosen:
            if isinstance(logger, TensorBoardLogger):
                self._before = set(Path(str(logger.log_dir)).glob("*"))
            if isinstance(logger, WandbRun):
                logger.start(resumed=steps is not None)
            if isinstance(logger, WandbLogger | MLFlowLogger):
                logger.log_hyperparams(dict(config))
        return [FolderCSVLogger(folder, steps, last), *self.chosen]

    def finish(self, loggers: list[Logger], numbers: Mapping[str, float], checkpoint: Path | None = None) -> None:
        """Log the final numbers and the best checkpoint to Weights & Biases, and close every log."""
        for logger in loggers:
            if isinstance(logger, WandbRun):
                logger.finish(numbers, checkpoint)
            else:
                logger.finalize("success")

    def discard(self, loggers: list[Logger]) -> None:
        """Remove the logs of Weights & Biases and TensorBoard of a run that failed before its first step."""
        for logger in loggers:
            if isinstance(logger, TensorBoardLogger):
                _remove_events(logger, self._before)
            if isinstance(logger, WandbRun):
                logger.discard()


def _remove_events(logger: TensorBoardLogger, before: Collection[Path]) -> None:
    """Close a TensorBoard log and delete its files, and its folder if empty."""
    if logger._experiment is not None:
        logger._experiment.close()
    folder = Path(str(logger.log_dir))
    for path in set(folder.glob("*")) - set(before):
        path.unlink(missing_ok=True)
    remove_empty([folder])
