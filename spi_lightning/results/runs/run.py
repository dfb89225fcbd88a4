"""Run of any command: its kind, its state, its settings and its numbers, whatever is lacking or damaged in its folder."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from spi_lightning.errors import UserError
from spi_lightning.io.reading import read_metrics
from spi_lightning.results.densities import DENSITIES_FILE
from spi_lightning.results.hits import HITS_FILE
from spi_lightning.results.orientation import ORIENTATION_FILE
from spi_lightning.results.phasing import PHASING_FILE
from spi_lightning.results.supports import SUPPORTS_FILE
from spi_lightning.results.training import CONFIG, LOG, METRICS, VERSIONS, Curves, read_curves, read_settings
from spi_lightning.results.volumes import VOLUMES_FILE

JOB: Final = "job.json"
"""File of a job of a sweep: its overrides, its state, and why it failed or was pruned."""
SWEEP: Final = "multirun.yaml"
"""File that Hydra writes into the folder of a sweep before its first job."""
KINDS: Final = {
    HITS_FILE: "hits",
    SUPPORTS_FILE: "supports",
    VOLUMES_FILE: "volumes",
    PHASING_FILE: "phasing",
    ORIENTATION_FILE: "orientation",
    DENSITIES_FILE: "densities",
    LOG: "training",
}
"""File of a run folder that tells its kind -> kind."""
_SIGNS: Final = (CONFIG, METRICS, JOB, *KINDS)
_OTHER_CONTENT: Final = (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError)


class State(StrEnum):
    """How far a run has come."""

    FINISHED = "finished"
    UNFINISHED = "unfinished"  # still at work, or stopped
    PRUNED = "pruned"
    FAILED = "failed"


@dataclass(frozen=True)
class Run:
    """Run, or one method of an evaluation, with what is needed to compare it.

    Attributes:
        folder: Run folder of the numbers, which also holds settings and curves.
        kind: Kind of its result, such as ``hits`` or ``training``; empty where it has none yet.
        state: How far it has come.
        method: Name of the method; empty but for evaluations.
        numbers: Scalars by name, such as ``val/auroc``, with ``/low`` and ``/high`` of their 95 % intervals; of a
            training that has not finished, those of its last validation.
        settings: Resolved settings of its config.yaml; empty where there is none.
        words: Overrides of its command by key.
        reason: Why it failed or was pruned, in one line.
    """

    folder: Path
    kind: str = ""
    state: State = State.UNFINISHED
    method: str = ""
    numbers: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""

    @property
    def curves(self) -> Curves:
        """Learning curves; none where the run trained nothing, or its metrics.csv is damaged."""
        try:
            return read_curves(self.folder / LOG) if (self.folder / LOG).is_file() else {}
        except UserError:
            return {}


def search_direction(run: Run) -> str | None:
    """Direction of the search whose trial a run is, ``maximize`` or ``minimize``; None of any other run."""
    try:
        settings = read_settings(run.folder.parent / SWEEP)
        direction = settings["hydra"]["sweeper"]["direction"]
    except (UserError, KeyError, TypeError):
        return None
    return direction if direction in ("maximize", "minimize") else None


def is_run(folder: Path) -> bool:
    """Whether a folder holds settings, numbers or a result of a run."""
    return any((folder / name).is_file() for name in _SIGNS)


def read_run(folder: Path) -> Iterator[Run]:
    """The run in a folder: one for each method of an evaluation, else one; damaged files make it a failed one."""
    kind = next((kind for name, kind in KINDS.items() if (folder / name).is_file()), "")
    state, reason, words = _job(folder)
    metrics: dict[str, Any] = {}
    settings: dict[str, Any] = {}
    try:
        settings = read_settings(folder / CONFIG)
        if (folder / METRICS).is_file():
            metrics = read_metrics(folder / METRICS)
            state = state if state is State.FAILED else State.FINISHED
        elif kind == "orientation":  # which measures nothing
            state = State.FINISHED
        elif kind == "training":  # the last validation
            state = State.UNFINISHED if state is State.FINISHED else state
            metrics = {name: float(values[-1]) for name, (_, values) in read_curves(folder / LOG).items()}
    except UserError as error:
        state, reason = State.FAILED, str(error)
    methods = metrics.get("methods")
    if not isinstance(methods, dict) or not all(isinstance(each, dict) for each in methods.values()):
        methods = {"": metrics}
    for method, numbers in methods.items():
        scalars = {name: value for name, value in numbers.items() if isinstance(value, int | float | str)}
        yield Run(folder, kind, state, str(method), scalars, settings, words, reason)


def _job(folder: Path) -> tuple[State, str, dict[str, str]]:
    """State, reason and overrides of a run by key, as far as job.json and versions.json tell."""
    job, versions = (_read(folder / name) for name in (JOB, VERSIONS))
    known = str(job.get("state")) in set(State)
    words = [word for word in job.get("overrides") or versions.get("overrides") or () if isinstance(word, str)]
    by_key = {word.partition("=")[0].lstrip("+~"): word.partition("=")[2] for word in words}
    return State(job["state"]) if known else State.UNFINISHED, str(job.get("reason", "")), by_key


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except _OTHER_CONTENT:
        return {}
    return content if isinstance(content, dict) else {}
