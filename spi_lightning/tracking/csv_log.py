"""metrics.csv of a run: written at once, cut back where a run is taken up, never a half-written row within."""

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
    """metrics.csv in the run folder itself, a row as soon as it is logged.

    Args:
        folder: The run folder.
        steps: Of a run that is taken up: steps that its checkpoint has done; later rows will be logged again and go.
            None: a new run, whose file begins anew.
        last: The row of an epoch that ended with the checkpoint, which had not been logged by then; added if missing.
    """

    def __init__(self, folder: str | Path, steps: int | None = None, last: Row | None = None) -> None:
        super().__init__(save_dir=str(folder), name="", version="", flush_logs_every_n_steps=1)
        self._steps, self._last = steps, dict(last or {})

    @property
    def experiment(self) -> _ExperimentWriter:
        """The writer, opened on first use."""
        if self._experiment is None:
            Path(self.log_dir).mkdir(parents=True, exist_ok=True)
            cut_back(Path(self.log_dir) / ExperimentWriter.NAME_METRICS_FILE, self._steps, self._last)
            self._experiment = _ContinuingWriter(self.log_dir)
        return self._experiment


class _ContinuingWriter(ExperimentWriter):
    """Lightning's writer deletes what an earlier part of the run has written; this one goes on behind it."""

    def _check_log_dir_exists(self) -> None:
        self.metrics_keys = list(read_rows(Path(self.metrics_file_path))[0])

    def save(self) -> None:
        """Append the rows; UserError where the disk is full."""
        try:
            super().save()
        except OSError as error:
            raise write_error(self.metrics_file_path, error) from error

    def _rewrite_with_new_header(self, fieldnames: list[str]) -> None:
        path = Path(self.metrics_file_path)
        _write_rows(path, fieldnames, read_rows(path)[1])


def cut_back(path: Path, steps: int | None, last: Row) -> None:
    """Leave of a metrics.csv the whole rows of the steps before ``steps``, none if that is None; add a missing last."""
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
    """Columns and rows of a metrics.csv, without a row that is not whole; nothing of a file that is not there."""
    lines = list(csv.reader(complete_lines(path).removeprefix("\ufeff").splitlines())) if path.is_file() else []
    names = lines[0] if lines else []
    return names, [dict(zip(names, line, strict=True)) for line in lines[1:] if len(line) == len(names)]


def _step(row: Row) -> float:
    """Step of a row, also as spreadsheets write it; -1 for what is none."""
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
