"""Tables of an evaluation: numbers with intervals, kinds of patterns, frames."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from spi_lightning.fields import IS_SINGLE_HIT, KIND, Kind
from spi_lightning.reports.evaluation_files import EvaluationFiles
from spi_lightning.reports.page import Table

FRAMES_SHOWN = 200
NUMBERS = {
    "accuracy": "accuracy ↑",
    "auroc": "area under ROC ↑",
    "average_precision": "average precision ↑",
    "recall": "recall ↑",
    "precision": "precision ↑",
    "false_positive_rate": "false-positive rate ↓",
    "fpr_at_90_recall": "false-positive rate at 90 % recall ↓",
    "calibration_error": "calibration error (ECE) ↓",
    "accuracy_where_decided": "accuracy where decided ↑",
    "abstained": "fraction abstained",
    "frames": "labelled frames",
    "single_hits": "labelled single hits",
}


def numbers_tables(metrics: Mapping[str, Any], excluded: str = "") -> Iterator[Table]:
    """Numbers of every method with intervals, the ensemble last, and their spread; nothing where nothing was scored.

    Numbers without the excluded frames stand beside those of a single method, and below those of several.

    Args:
        metrics: What metrics.json holds.
        excluded: The excluded frames in words.
    """
    stages = [stage for stage in ("test", "test_kept") if f"{stage}/accuracy" in metrics]
    methods: dict[str, Mapping[str, Any]] = metrics.get("methods", {})
    without = f"without frames {excluded}"
    if len(methods) == 1 and len(stages) == 2:
        yield _numbers(
            {name: (metrics, stage) for name, stage in (("all labelled frames", "test"), (without, "test_kept"))}
        )
        return
    for stage in stages:
        columns = {name: (numbers, stage) for name, numbers in methods.items()}
        yield _numbers(columns, metrics.get("spread"), "" if stage == "test" else f"Here {without}. ")


def _numbers(
    columns: Mapping[str, tuple[Mapping[str, Any], str]], spread: Mapping[str, Any] | None = None, caption: str = ""
) -> Table:
    """One row for each number; columns name -> (numbers, stage), and the spread of the first column's stage."""
    break_lines = len(columns) > 3
    rows = []
    for name, words in NUMBERS.items():
        row = [words, *(_with_interval(numbers, f"{stage}/{name}", break_lines) for numbers, stage in columns.values())]
        if spread:
            key = f"{next(iter(columns.values()))[1]}/{name}"
            known = f"{key}/mean" in spread
            row.append(f"{spread[f'{key}/mean']:.3f} ± {spread[f'{key}/std']:.3f}" if known else "–")
        rows.append(row)
    head = ["", *columns, *(["checkpoints, mean ± sd"] if spread else [])]
    return Table(head, rows, f"{caption}In brackets: 95 % interval, stratified percentile bootstrap over frames.")


def kinds_table(files: EvaluationFiles) -> Table | None:
    """How many frames of each kind were taken as single hits; None where the kinds are unknown."""
    kind = files.labels.get(KIND)
    if kind is None or not (kind >= 0).any():
        return None
    rows = []
    for value in np.unique(kind[kind >= 0]):
        use = kind == value
        name = Kind(value).name.lower() if value in set(Kind) else str(value)
        taken = files.headline.decision[use].mean()
        rows.append((name, str(use.sum()), f"{100 * taken:.1f} %", f"{files.headline.probability[use].mean():.3f}"))
    return Table(("kind", "frames", "taken as single hit", "mean probability"), rows)


def frames_table(files: EvaluationFiles) -> Table:
    """What is known of each frame, the first 200 in a larger file."""
    shown = slice(FRAMES_SHOWN)
    columns: dict[str, list[str]] = {
        "frame": [str(frame) for frame in files.frame[shown]],
        "probability": [f"{p:.3f}" for p in files.headline.probability[shown]],
        "decision": ["single hit" if d else "other" for d in files.headline.decision[shown]],
        "abstains": ["yes" if a else "" for a in files.headline.abstain[shown]],
    }
    if IS_SINGLE_HIT in files.labels:
        names = {1: "single hit", 0: "other", -1: "unknown"}
        columns["label"] = [names.get(int(value), str(value)) for value in files.labels[IS_SINGLE_HIT][shown]]
        columns["excluded"] = ["yes" if e else "" for e in files.excluded[shown]]
    for name, values in files.columns.items():
        columns[name.replace("_", " ")] = [
            "–" if value != value else f"{value:.4g}" for value in values[shown].tolist()
        ]
    columns = {name: values for name, values in columns.items() if name not in ("abstains", "excluded") or any(values)}
    caption = (
        f"The first {FRAMES_SHOWN} of {len(files.frame)} frames; predictions.csv has all."
        if len(files.frame) > FRAMES_SHOWN
        else "The same as predictions.csv."
    )
    return Table(tuple(columns), list(zip(*columns.values(), strict=True)), caption)


def _with_interval(numbers: Mapping[str, Any], key: str, break_line: bool) -> str:
    value, low, high = (numbers.get(name) for name in (key, f"{key}/low", f"{key}/high"))
    if value is None:
        return "–"
    if isinstance(value, int):
        return str(value)
    between = "\n" if break_line else " "
    return f"{value:.3f}" if low is None or high is None else f"{value:.3f}{between}[{low:.3f}, {high:.3f}]"
