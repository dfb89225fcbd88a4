"""Answer patterns with supports, compare them with the truth and each other, and report: evaluate.py data=supports."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from hydra.utils import instantiate
from numpy.typing import NDArray
from omegaconf import DictConfig, open_dict
from rich.table import Column, Table
from rich.text import Text

from spi_lightning.apps.configuration.choose_methods import make_support_methods
from spi_lightning.apps.process.job_folder import record
from spi_lightning.console import Terminal
from spi_lightning.data.supports import SupportBatches, structure_names
from spi_lightning.errors import UserError, whole_number
from spi_lightning.evaluation.hits.cache import AnswerCache
from spi_lightning.evaluation.supports.runner import AskedSupports, SupportInterview, told
from spi_lightning.evaluation.supports.scoring import (
    SupportScoring,
    agreement,
    columns_of,
    structures_of,
    trade_off_of,
    true_supports,
)
from spi_lightning.files import write_json
from spi_lightning.io import PatternFile
from spi_lightning.methods import SupportAnswer, SupportCheckpoint, SupportMethod
from spi_lightning.notes import Note, note_lines
from spi_lightning.reports.supports.page import write_supports_report
from spi_lightning.results.supports import MethodTable, SupportFiles, choose_support_frames, collect_patterns
from spi_lightning.tracking import METRICS

SHOWN = {
    "below_two_false_negatives": "< 2 FN",
    "false_negatives": "FN",
    "false_positives": "FP",
    "area_ratio": "area ratio",
    "iou": "IoU",
    "centrosymmetry_broken": "asymmetric",
}
WITHOUT_TRUTH = {"area": "area", "centrosymmetry_broken": "asymmetric"}
Asked = tuple[SupportMethod, AskedSupports]
PERCENT = ("below_two_false_negatives", "centrosymmetry_broken")


def evaluate_supports(cfg: DictConfig) -> dict[str, Any]:
    """Answer, score, write and report what a configuration describes.

    Args:
        cfg: conf/evaluate.yaml with data=supports or data=simulated_supports.

    Returns:
        What metrics.json holds.

    Raises:
        UserError: A mistake in settings, files or checkpoints.
    """
    folder = Path(cfg.folder)
    fraction = cfg.supports.fraction
    if not isinstance(fraction, int | float) or not 0 < fraction < 1:
        raise UserError(f"supports.fraction={fraction}: give a number between 0 and 1.")
    for name in ("curve", "gallery"):
        whole_number(f"supports.{name}", cfg.supports[name], 0)
    methods = list(make_support_methods(cfg))
    patterns = open_supports_of(cfg.data)
    interview = SupportInterview(patterns, AnswerCache(cfg.cache))
    asked = [(method, interview(method, identity)) for method, identity in methods]
    record(cfg)
    headline = headline_of([method for method, _ in asked])
    truth = true_supports(patterns, asked[0][1].answer.frame, cfg.supports.fraction)
    tables = [table_of(each.answer, truth) for _, each in asked]
    metrics = numbers_of(cfg, patterns, asked, tables, truth, headline)
    about = about_evaluation(cfg, patterns, asked, headline)
    write_json(folder / METRICS, metrics)
    write_json(folder / "evaluation.json", about)
    frame = asked[0][1].answer.frame
    structure = structures_of(patterns.labels, len(patterns))[frame]
    area = None if truth is None else truth.sum((1, 2))
    choices = choose_support_frames(tables[headline], area, structure, cfg.supports.gallery)
    shown = collect_patterns(patterns, frame, choices)
    SupportFiles(about, metrics, frame, structure, truth, tables, shown).write(folder)
    report = write_supports_report(folder, instantiate(cfg.report.figures, _convert_="all"))
    show(metrics, truth is not None, about, report)
    return metrics


def table_of(answer: SupportAnswer, truth: NDArray[np.bool_] | None) -> MethodTable:
    """An answer and the numbers of each of its supports."""
    return MethodTable(answer.name, answer.support, answer.density, columns_of(answer.support, truth))


def numbers_of(
    cfg: DictConfig,
    patterns: PatternFile,
    asked: Sequence[Asked],
    tables: Sequence[MethodTable],
    truth: NDArray[np.bool_] | None,
    headline: int,
) -> dict[str, Any]:
    """``test/...`` of the headline, ``methods``: of each; ``agreement``; with a truth, ``trade_off``."""
    answers = [each.answer for _, each in asked]
    frame = answers[0].frame
    scoring = SupportScoring(structures_of(patterns.labels, len(patterns))[frame], cfg.bootstrap.replicates, cfg.seed)
    scores = {table.name: scoring(table.columns) for table in tables}
    metrics: dict[str, Any] = {**scores[tables[headline].name], "methods": scores}
    if len(answers) > 1:
        metrics["agreement"] = {"methods": [answer.name for answer in answers], "iou": agreement(answers)}
    if truth is not None and cfg.supports.curve:
        chosen = spread_rows(len(frame), cfg.supports.curve)
        metrics["trade_off"] = {
            method.name: trade_off_of(method, each.answer, patterns, truth, chosen) for method, each in asked
        }
    return metrics


def about_evaluation(cfg: DictConfig, patterns: PatternFile, asked: Sequence[Asked], headline: int) -> dict[str, Any]:
    """What evaluation.json holds: the file, the question, and what each method was and cost."""
    return {
        "path": str(cfg.data.get("path", patterns.path)),
        "format": patterns.format,
        "shape": list(patterns.shape),
        "fraction": cfg.supports.fraction,
        "headline": headline,
        "curve_patterns": min(len(patterns), cfg.supports.curve),
        "structures": {str(number): name for number, name in structure_names(patterns).items()},
        "notes": [note.plain for note in (*patterns.notes, *(note for method, _ in asked for note in method.notes))],
        "methods": {each.answer.name: told(each, about_network(method)) for method, each in asked},
        "command": " ".join(sys.argv),
    }


def open_supports_of(data: DictConfig) -> PatternFile:
    """The pattern file behind a data configuration: all frames of data=supports, the test set of simulated ones."""
    settings = data.copy()  # a child of the same configuration, so that interpolations still hold
    with open_dict(settings):
        if settings.pop("exclude", None):
            raise UserError("data.exclude leaves out frames of single-hit data; supports have no doubtful labels.")
        if "patterns" in settings:
            settings.patterns = {"test": settings.patterns.test}  # no training set is made for an evaluation
    module: SupportBatches = instantiate(settings, _convert_="all")
    module.prepare_data()
    module.setup("predict")
    patterns: PatternFile = module.splits["predict"].file  # type: ignore[attr-defined]
    return patterns


def headline_of(methods: Sequence[SupportMethod]) -> int:
    """The first network, else the first method: whose numbers open metrics.json, and whose failures are shown."""
    return next((i for i, method in enumerate(methods) if isinstance(method, SupportCheckpoint)), 0)


def spread_rows(count: int, most: int) -> NDArray[np.int64]:
    """Up to ``most`` rows evenly over all."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))


def about_network(method: SupportMethod) -> dict[str, Any]:
    """Checkpoint, weights and threshold of a network; nothing of other methods."""
    if not isinstance(method, SupportCheckpoint):
        return {}
    weights = sum(parameter.numel() for parameter in method.task.parameters())
    return {"checkpoint": str(method.path), "weights": weights, "threshold": round(float(method.task.threshold), 4)}


def show(metrics: dict[str, Any], known: bool, about: dict[str, Any], report: Path) -> None:
    """Print one line for each method, what to beware of, and where the report lies."""
    console = Terminal(width=110)
    shown = SHOWN if known else WITHOUT_TRUTH
    table = Table(Column(overflow="fold"), *shown.values(), "ms / pattern")
    for name, numbers in metrics["methods"].items():
        cells = [_cell(numbers, number) for number in shown]
        table.add_row(name, *cells, f"{about['methods'][name]['ms_per_pattern']:.2f}")
    console.print(table)
    if not known:
        console.print("no true densities in this file: supports are shown and compared with each other")
    for line in note_lines(map(Note.read, about["notes"])):
        console.print(line, soft_wrap=True, highlight=False)
    console.print(f"report: {report}", soft_wrap=True)


def _cell(numbers: dict[str, Any], name: str) -> Text:
    ends = [numbers[f"test/{name}{end}"] for end in ("", "/low", "/high")]
    digits = 2 if name in ("area_ratio", "iou") else 1
    value, low, high = (None if end is None else f"{100 * end if name in PERCENT else end:.{digits}f}" for end in ends)
    unit = " %" if name in PERCENT else ""
    return Text(f"{value}{unit}" if low is None else f"{value}{unit}\n{low}–{high}")
