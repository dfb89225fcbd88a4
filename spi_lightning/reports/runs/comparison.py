"""Comparison of runs: what they differ in, what they measured, in the order of the number that counts."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from spi_lightning.reports.short_names import short_names
from spi_lightning.reports.training import WORDS
from spi_lightning.results.hit_columns import write_columns
from spi_lightning.results.runs import Column, Run, State, find_runs, search_direction, varied_settings

NUMBERS: Final = {
    "hits": ("test/auroc", "test/accuracy", "test/false_positive_rate", "test/frames"),
    "supports": ("test/iou", "test/below_two_false_negatives", "test/false_negatives", "test/false_positives"),
    "volumes": ("correlation_modified", "chi_square", "held_out_chi_square"),
    "phasing": (
        *("held_out_error/best", "kept", "prtf/resolution_nm", "size/longest_nm", "size/frame_nm"),
        *("laboratory/strain_rms", "r_factor/best", "fourier_error/best"),
    ),
}
"""Numbers of the result of each kind; the first decides the order of its runs."""
_PIXELS: Final = "measured_pixels"
_TRIAL: Final = re.compile(r"(^|/)(\d{3,})_[^/]*$")  # folder of a trial, which is named by its number and its settings
_OF_TRAINING: Final = ("val/loss", "train/steps")
_SMALL: Final = ("loss", "error", "chi_square", "r_factor", "false_", "seconds", "eq_6")  # in names of what is to be small


@dataclass(frozen=True)
class Comparison:
    """Runs in order, the best first; those that have not finished behind.

    Attributes:
        runs: Runs, of an evaluation one for each method.
        names: Short name of the folder of each, the same for all methods of an evaluation.
        methods: Short name of the method of each; empty but for evaluations.
        settings: Settings in which they differ.
        numbers: Names of the numbers that at least one of them has; the objective, if any, first.
        minimised: Whether a smaller objective is better.
        skipped: Folders that were named and hold no run.
    """

    runs: tuple[Run, ...]
    names: tuple[str, ...]
    methods: tuple[str, ...]
    settings: tuple[Column, ...]
    numbers: tuple[str, ...]
    minimised: bool
    skipped: tuple[Path, ...] = ()

    @property
    def objective(self) -> str:
        """Name of the number that decides the order; empty where the runs have none."""
        return self.numbers[0] if self.numbers else ""

    def values(self, name: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """Number of each run, (runs,); NaN where it has none."""
        return np.array([number_of(run, name) for run in self.runs])

    @property
    def labels(self) -> tuple[str, ...]:
        """Name of each run, with its method where there are methods; none twice."""
        pairs = zip(self.names, self.methods, strict=True)
        return tuple(f"{name}{' · ' * bool(method)}{method}" for name, method in pairs)

    @property
    def order(self) -> str:
        """Order of the runs in words."""
        if not self.objective:
            return "the runs have no number in common that could order them"
        order = f"sorted by {self.objective}, {'smallest' if self.minimised else 'largest'} first"
        pixels = self.values(_PIXELS)
        differ = self.objective in NUMBERS["phasing"] and len(set(pixels[np.isfinite(pixels)].tolist())) > 1
        if differ:
            return f"{order}; errors of patterns that differ in their measured pixels are not comparable"
        sets = dict.fromkeys(filter(None, map(measured_on, self.runs)))
        names = Counter(name for name, _ in sets)
        listed = ", ".join(f"{name} ({times} sets)" if times > 1 else name for name, times in names.items())
        return f"{order}; measured on different patterns, which are not comparable: {listed}" if len(sets) > 1 else order

    @property
    def unfinished(self) -> tuple[str, ...]:
        """Line for each run of which the reason is known why it has not finished: state, name and reason."""
        pairs = [pair for pair in zip(self.runs, self.names, strict=True) if pair[0].state is not State.FINISHED]
        return tuple(f"{run.state} {name}: {run.reason}" for run, name in pairs if run.reason)


def measured_on(run: Run) -> tuple[str, str] | None:
    """Patterns that the numbers of a run were measured on: their name, and what tells them from others of that name.

    None for runs without settings of data. A training on a file is measured on the part of it that its splits keep back.
    """
    data = run.settings.get("data")
    if not isinstance(data, dict) or run.state is not State.FINISHED or _kind(run) == "phasing":
        return None
    if path := data.get("path"):
        name = ",".join(map(str, path)) if isinstance(path, list) else str(path)
        splits = (data.get("fractions"), data.get("seed")) if run.kind == "training" else data.get("keys")
        return (f"part of {name}" if run.kind == "training" else name), str(splits)
    return ("simulated", str(made)) if (made := data.get("simulate_config")) else None


def number_of(run: Run, name: str) -> float:
    """Number of a run; NaN where it has none, or text."""
    value = run.numbers.get(name)
    return float(value) if isinstance(value, int | float) else float("nan")


def compare_runs(names: Sequence[Path], objective: str | None = None) -> Comparison:
    """Comparison of training runs, sweeps and evaluations in any mixture.

    Args:
        names: Run folders, sweeps, folders of them; files beside them are passed over.
        objective: Name of the number that decides the order, such as ``val/auroc``; None: that of the trainings, else
            the first of the kind of the result.

    Raises:
        UserError: There is no such folder, or no run in any.
    """
    found = find_runs(names)
    return _ordered(found.runs, objective or _objective(found.runs), found.skipped)


def parts_of(comparison: Comparison) -> list[Comparison]:
    """A comparison by the numbers of its runs: those with the objective, then those of another objective, by that.

    Trainings and evaluations that share the objective stand together, and so do runs without a result.
    """
    objective, apart = comparison.objective, dict[str, list[Run]]()
    for run in comparison.runs:
        apart.setdefault(_other_objective(run, objective), []).append(run)
    if len(apart) == 1:
        return [comparison]
    together = [_ordered(apart.pop("", []), objective, comparison.skipped)] if "" in apart else []
    return [*together, *(_ordered(runs, other) for other, runs in apart.items())]


def _other_objective(run: Run, objective: str) -> str:
    """Number that decides the order of a run that lacks the objective; empty where it belongs to those that have it."""
    kind, own = _kind(run), run.settings.get("objective")
    if objective in run.numbers or objective in NUMBERS.get(kind, ()):
        return ""
    if kind in NUMBERS:
        return NUMBERS[kind][0]
    same = not isinstance(own, str) or own.rpartition("/")[2] == objective.rpartition("/")[2]
    return "" if same else str(own)


def _ordered(found: Sequence[Run], objective: str, skipped: tuple[Path, ...] = ()) -> Comparison:
    """Comparison of runs in the order of an objective."""
    searched = {search_direction(run) for run in found if run.settings.get("objective") == objective} - {None}
    minimised = searched == {"minimize"} if len(searched) == 1 else is_minimised(objective)
    order = {state: rank for rank, state in enumerate(State)}

    def key(run: Run) -> tuple[int, bool, float]:
        value = number_of(run, objective)
        missing = value != value
        return order[run.state], missing, 0.0 if missing else value if minimised else -value

    runs = sorted(found, key=key)
    above = os.path.commonpath([run.folder.absolute().parent for run in runs])
    folders = [_TRIAL.sub(r"\1\2", os.path.relpath(run.folder.absolute(), above)) for run in runs]
    short, methods = (short_names(list(dict.fromkeys(each))) for each in (folders, [run.method for run in runs]))
    numbers = [name for name in _numbers(runs, objective) if any(name in run.numbers for run in runs)]
    return Comparison(
        tuple(runs),
        tuple(short[folder] for folder in folders),
        tuple(methods[run.method] if run.method else "" for run in runs),
        tuple(varied_settings(runs)),
        tuple(numbers),
        minimised,
        skipped,
    )


def is_minimised(name: str) -> bool:
    """Whether a smaller number is better, by the arrow of its title, else by its words."""
    last = name.rpartition("/")[2]
    title = WORDS.get(last, "")
    return title.endswith("↓") or (not title.endswith("↑") and any(word in name for word in _SMALL))


def _objective(runs: Sequence[Run]) -> str:
    """Objective of most trainings, of the test where evaluations stand beside them; else that of the kind."""
    chosen = Counter(str(run.settings["objective"]) for run in runs if run.settings.get("objective"))
    kinds = list(dict.fromkeys(kind for run in runs if (kind := _kind(run)) in NUMBERS))
    if not chosen:
        return NUMBERS[kinds[0]][0] if kinds else ""
    objective = chosen.most_common(1)[0][0]
    tested = f"test/{objective.partition('/')[2]}"
    evaluated = any(tested in run.numbers for run in runs if _kind(run) in kinds)
    return tested if evaluated else objective


def _kind(run: Run) -> str:
    """Kind of a result, by its numbers where its file is gone."""
    return run.kind or next((kind for kind, names in NUMBERS.items() if set(names) & {*run.numbers}), "")


def _numbers(runs: Sequence[Run], objective: str) -> list[str]:
    """Names of the numbers to show, without doubles: the objective, the same of the test, those of each kind."""
    stage, _, name = objective.partition("/")
    numbers = [objective, *([f"test/{name}"] if stage == "val" else [])]
    for run in runs:
        numbers += NUMBERS.get(_kind(run), _OF_TRAINING if run.kind == "training" else ())
    return list(dict.fromkeys(filter(None, numbers)))


def write_csv(path: Path, comparison: Comparison) -> Path:
    """Write all settings in which the runs differ and all their numbers as CSV by an atomic write."""
    runs = comparison.runs
    names = dict.fromkeys([*comparison.numbers, *(name for run in runs for name in run.numbers)])
    columns = {
        "run": np.array([str(run.folder) for run in runs]),
        "method": np.array([run.method for run in runs]),
        "state": np.array([str(run.state) for run in runs]),
        **{column.key: np.array(column.values) for column in comparison.settings},
        **{name: comparison.values(name) for name in names},
        "reason": np.array([run.reason for run in runs]),
    }
    write_columns(path, {name: values for name, values in columns.items() if not _empty(values)})
    return path


def _empty(values: np.ndarray[tuple[int], np.dtype[np.generic]]) -> bool:
    return bool(np.isnan(values).all()) if values.dtype.kind == "f" else not any(values.tolist())
