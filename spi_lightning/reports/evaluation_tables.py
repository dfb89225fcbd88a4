"""Tables of an evaluation: numbers with intervals, kinds of patterns, frames."""

from collections.abc import Mapping
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


def numbers_table(metrics: Mapping[str, Any], stage: str = "test") -> Table | None:
    """One column for each method, the ensemble last, and their mean ± standard deviation where there are several.

    None where nothing was scored.
    """
    if f"{stage}/accuracy" not in metrics:
        return None
    methods: dict[str, Mapping[str, Any]] = metrics.get("methods", {})
    spread = metrics.get("spread", {})
    head = ["", *methods, *(["mean ± sd of methods"] if spread else [])]
    rows = []
    for name, words in NUMBERS.items():
        key = f"{stage}/{name}"
        row = [words, *(_with_interval(numbers, key) for numbers in methods.values())]
        if spread:
            mean = f"{key}/mean"
            row.append(f"{spread[mean]:.3f} ± {spread[f'{key}/std']:.3f}" if mean in spread else "–")
        rows.append(row)
    return Table(head, rows, "Square brackets: 95 % interval, stratified percentile bootstrap over frames.")


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


def _with_interval(numbers: Mapping[str, Any], key: str) -> str:
    value, low, high = (numbers.get(name) for name in (key, f"{key}/low", f"{key}/high"))
    if value is None:
        return "–"
    if isinstance(value, int):
        return str(value)
    return f"{value:.3f}" if low is None or high is None else f"{value:.3f} [{low:.3f}, {high:.3f}]"
