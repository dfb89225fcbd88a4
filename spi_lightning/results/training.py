"""Result of a training run: learning curves of metrics.csv, numbers of metrics.json and settings of config.yaml."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np
import yaml
from numpy.typing import NDArray

from spi_lightning.errors import UserError
from spi_lightning.files import complete_lines
from spi_lightning.io.reading import read_metrics, reading, reads
from spi_lightning.notes import Note
from spi_lightning.summary import Summarised

CONFIG: Final = "config.yaml"
METRICS: Final = "metrics.json"
VERSIONS: Final = "versions.json"
LOG: Final = "metrics.csv"
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast where it was built
_STAGES: Final = {"val": "validation", "test": "test"}
_MAIN: Final = 4  # numbers of a summary
Curves = dict[str, tuple[NDArray[np.int64], NDArray[np.float64]]]


@dataclass(frozen=True, repr=False)
class TrainingResult(Summarised):
    """Training run, whether it has ended or not.

    Attributes:
        curves: Number by stage and name, such as ``val/loss`` -> (steps (n,) counted from 0, values (n,)).
        metrics: Numbers of the best checkpoint and of the whole run by name; empty while the run has not ended.
        settings: Resolved settings of the run; empty where its folder has none.
        notes: Notes on what the folder lacks.

    Examples:
        >>> from spi_lightning import read
        >>> result = read("runs/small")
        >>> steps, loss = result.curves["val/loss"]
        >>> steps.shape == loss.shape
        True
        >>> result.settings["network"]["_target_"]
        'spi_lightning.networks.ResNet10'
    """

    drawn_by: ClassVar[str] = "spi_lightning.reports.drawing:training"

    curves: Curves
    metrics: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()

    @classmethod
    def load(cls, folder: Path) -> TrainingResult:
        """Result of a run folder of spi train.

        Raises:
            UserError: The folder has no metrics.csv, or one of its files is damaged.
        """
        curves, ended = read_curves(folder / LOG), (folder / METRICS).is_file()
        notes = [] if curves else [Note.of(f"{LOG} holds no numbers yet")]
        notes += [] if ended else [Note.of(f"The run has not ended: there is no {METRICS}")]
        metrics = read_metrics(folder / METRICS) if ended else {}
        return cls(curves, metrics, read_settings(folder / CONFIG), tuple(notes))

    def facts(self) -> Mapping[str, object]:
        """Task and network, steps done, and the loss, objective and first numbers of validation and test."""
        last = max((int(steps[-1]) + 1 for steps, _ in self.curves.values()), default=0)
        names = {part: str(self._setting(part, "_target_") or "").rpartition(".")[2] for part in ("task", "network")}
        numbers = {name: self._by_stage(name) for name in self._main_numbers()}
        count = len(self.metrics)
        return {
            **{part: name or None for part, name in names.items()},
            "steps": int(self.metrics.get("train/steps", last)),
            **numbers,
            "metrics": f"{count}, in .metrics" if count > len(numbers) else None,
            "notes": len(self.notes) or None,
        }

    def _setting(self, part: str, key: str) -> object:
        found = self.settings.get(part)
        return found.get(key) if isinstance(found, dict) else None

    def _main_numbers(self) -> list[str]:
        """Names of a few numbers, without their stage: loss, objective, and the first others of the metrics."""
        stages = [name.partition("/") for name, value in self.metrics.items() if isinstance(value, float)]
        measured = dict.fromkeys(name for stage, _, name in stages if stage in _STAGES)
        objective = str(self.settings.get("objective")).rpartition("/")[2]
        return [name for name in dict.fromkeys(("loss", objective, *measured)) if name in measured][:_MAIN]

    def _by_stage(self, name: str) -> str:
        """A number of validation and test in one line."""
        found = {word: self.metrics.get(f"{stage}/{name}") for stage, word in _STAGES.items()}
        return ", ".join(f"{value:.4g} ({word})" for word, value in found.items() if isinstance(value, float))


@reads(f"{LOG} of a training run", also=(csv.Error, TypeError))
def read_curves(path: Path) -> Curves:
    """Learning curves of a metrics.csv of Lightning's CSVLogger: name -> (steps (n,), values (n,)).

    Raises:
        UserError: There is no such file, or it has no column ``step``.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file; name the folder of a training run")
    rows = list(csv.DictReader(complete_lines(path).splitlines()))
    if rows and "step" not in rows[0]:
        raise UserError(f"{path}: has no column 'step', so it is not of a training run; name the folder of one")
    curves: Curves = {}
    for name in rows[0] if rows else ():
        points = [(int(row["step"]), float(row[name])) for row in rows if name and row[name] not in ("", None)]
        if name not in ("step", "epoch") and points:
            steps, values = zip(*points, strict=True)
            curves[name] = (np.array(steps, dtype=np.int64), np.array(values))
    return curves


def read_settings(path: Path) -> dict[str, Any]:
    """Settings of a config.yaml; nothing that it says is executed."""
    if not path.is_file():
        return {}
    with reading(path, "settings of a run", also=(yaml.YAMLError,)):
        settings = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)
    return settings if isinstance(settings, dict) else {}
