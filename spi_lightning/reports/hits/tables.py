"""Tables of an evaluation: numbers with intervals, kinds of patterns, methods and their cost."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from spi_lightning.fields import KIND, Kind
from spi_lightning.reports.page import Lines, Table
from spi_lightning.results.hits import HitResult, MethodFacts

INTERVALS = (
    "In brackets: 95 % interval, stratified percentile bootstrap over frames. Where it has no width: Wilson's of "
    "accuracy, recall, precision and false-positive rate; exact, over as many pairs as the smaller class has frames, "
    "of an area of 1."
)
_FACTS = (
    *("checkpoint", "weights", "device", "time (s)", "patterns per second", "peak memory (MiB)", "GPU memory (MiB)"),
    *("training labels", "from cache"),
)
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


def numbers_tables(metrics: Mapping[str, Any], excluded: str = "") -> Iterator[Table | Lines]:
    """Tables of the numbers of every method with intervals, the ensemble last, and their spread; none without labels.

    Numbers without the excluded frames stand beside those of a single method, and below those of more methods.

    Args:
        metrics: Numbers of metrics.json by name.
        excluded: The excluded frames in words.
    """
    words = NUMBERS | {name: name for name in metrics.get("extra", ())}
    stages = [stage for stage in ("test", "test_kept") if f"{stage}/accuracy" in metrics]
    methods: dict[str, Mapping[str, Any]] = metrics.get("methods", {})
    without = f"without frames {excluded}"
    if len(methods) == 1 and len(stages) == 2:
        columns = {name: (metrics, stage) for name, stage in (("all labelled frames", "test"), (without, "test_kept"))}
        yield _numbers(columns, words)
        return
    for stage in stages:
        if stage == "test_kept":
            yield Lines([f"The same {without}:"])
        yield _numbers({name: (numbers, stage) for name, numbers in methods.items()}, words, metrics.get("spread"))


def _numbers(
    columns: Mapping[str, tuple[Mapping[str, Any], str]],
    titles: Mapping[str, str],
    spread: Mapping[str, Any] | None = None,
) -> Table:
    """Table with a row for each number of ``titles``; ``columns``: name -> (numbers, stage)."""
    break_lines = len(columns) > 3
    rows = []
    for name, title in titles.items():
        row = [title, *(_with_interval(numbers, f"{stage}/{name}", break_lines) for numbers, stage in columns.values())]
        if spread:
            key = f"{next(iter(columns.values()))[1]}/{name}"
            known = f"{key}/mean" in spread
            row.append(f"{spread[f'{key}/mean']:.3f} ± {spread[f'{key}/std']:.3f}" if known else "–")
        rows.append(row)
    head = ["", *(name.replace("/", "/\n") for name in columns), *(["checkpoints,\nmean ± sd"] if spread else [])]
    return Table(head, rows, INTERVALS)


def kinds_table(result: HitResult) -> Table | None:
    """Table of the frames of each kind that are taken as single hits; None where the kinds are unknown."""
    kind = result.labels.get(KIND)
    if kind is None or not (kind >= 0).any():
        return None
    rows = []
    for value in np.unique(kind[kind >= 0]):
        use = kind == value
        name = Kind(value).name.lower() if value in set(Kind) else str(value)
        taken = result.primary.decision[use].mean()
        rows.append((name, str(use.sum()), f"{100 * taken:.1f} %", f"{result.primary.probability[use].mean():.3f}"))
    return Table(("kind", "frames", "taken as single hit", "mean probability"), rows)


def methods_table(result: HitResult) -> Table:
    """Table of the checkpoint of each method, and of time and memory of its answer."""
    rows = {name: _facts_of(facts, result.shape[0]) for name, facts in result.methods.items()}
    order = [title for title in _FACTS if any(title in row for row in rows.values())]
    cells = [[name, *(row.get(title, "–") for title in order)] for name, row in rows.items()]
    return Table(["method", *order], cells, numeric=False)


def _facts_of(facts: MethodFacts, frames: int) -> dict[str, str]:
    """Facts on a method and its answer to ``frames`` frames as text, by the titles of their columns."""
    cost = facts.cost
    values: dict[str, object] = {
        "checkpoint": facts.checkpoint or None,
        "weights": facts.weights or None,
        "device": facts.device or None,
        "time (s)": round(cost.seconds, 3),
        "patterns per second": round(frames / cost.seconds, 1) if cost.seconds else None,
        "peak memory (MiB)": None if cost.memory_mib is None else round(cost.memory_mib),
        "GPU memory (MiB)": None if cost.gpu_memory_mib is None else round(cost.gpu_memory_mib),
        "training labels": facts.labels or None,
        "from cache": "yes" if facts.kept else None,
    }
    return {title: str(value) for title, value in values.items() if value is not None}


def _with_interval(numbers: Mapping[str, Any], key: str, break_line: bool) -> str:
    value, low, high = (numbers.get(name) for name in (key, f"{key}/low", f"{key}/high"))
    if value is None:
        return "–"
    if isinstance(value, int):
        return str(value)
    between = "\n" if break_line else " "
    return f"{value:.3f}" if low is None or high is None else f"{value:.3f}{between}[{low:.3f}, {high:.3f}]"
