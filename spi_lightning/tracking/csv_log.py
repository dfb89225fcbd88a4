"""metrics.csv of a run: written row by row, truncated when a run is resumed, without partial rows."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning_fabric.loggers.csv_logs import _ExperimentWriter
from pytorch_lightning.loggers import CSVLogger
from pytorch_lightning.loggers.csv_logs import ExperimentWriter

from spi_lightning.files import atomic_write, complete_lines, write_error

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
