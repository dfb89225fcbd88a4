"""Answer a file of patterns with one or several methods and leave numbers, lists and a report: behind evaluate.py."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
from hydra.utils import instantiate
from numpy.typing import NDArray
from omegaconf import DictConfig, ListConfig, open_dict
from rich.console import Console
from rich.table import Column, Table

from spi_lightning.apps.train import record
from spi_lightning.fields import BEAM_CENTRE, IS_SINGLE_HIT, UserError
from spi_lightning.io import PatternFile
from spi_lightning.methods import (
    Answer,
    CheckpointMethod,
    DecisionRule,
    Method,
    Predictions,
    ensemble,
    find_checkpoints,
    find_device,
    measure_frames,
    notes,
    run_name,
    score,
    write_selection_lists,
)
from spi_lightning.reports import choose_frames, collect_gallery, require_embedding, write_evaluation_report
from spi_lightning.tracking import METRICS, write_json

SHOWN = {
    "accuracy": "accuracy",
    "auroc": "AUROC",
    "false_positive_rate": "FPR",
    "fpr_at_90_recall": "FPR at\n90 % recall",
    "calibration_error": "ECE",
}


def evaluate(cfg: DictConfig) -> dict[str, Any]:
    """Answer, score, write and report what a configuration describes.

    Args:
        cfg: conf/evaluate.yaml and what was laid over it.

    Returns:
        What metrics.json holds.

    Raises:
        UserError: A mistake in settings, files or checkpoints.
    """
    folder, rule = Path(cfg.folder), DecisionRule(**cfg.decision)
    require_embedding(cfg.report.embedding)
    methods = list(make_methods(cfg, rule))
    patterns = open_patterns_of(cfg.data)
    excluded = excluded_frames(cfg.data.exclude, patterns)
    record(cfg)
    answers = [method.answer(patterns) for method in methods]
    trained = [answer for answer, method in zip(answers, methods, strict=True) if isinstance(method, CheckpointMethod)]
    headline = ensemble(trained, rule) if len(trained) > 1 else answers[0]
    labels = {name: values for name, values in patterns.labels.items() if values.ndim == 1}
    columns = measure_frames(patterns, find_device(cfg.device)) if len(patterns) <= cfg.frame_columns else {}
    predictions = Predictions(headline, answers, rule, labels, columns, excluded)
    predictions.write(folder)
    metrics = score(predictions, [answer.name for answer in trained], cfg.bootstrap.replicates, cfg.seed)
    write_json(folder / METRICS, metrics)
    selection = select(cfg, predictions, patterns)
    frames = choose_frames(
        headline.probability, headline.decision, labels.get(IS_SINGLE_HIT), rule.threshold, cfg.report.frames
    )
    collect_gallery(patterns, frames, found_centres(patterns, columns)).write(folder / "gallery.h5")
    told = {
        "path": str(cfg.data.get("path", patterns.path)),
        "format": patterns.format,
        "shape": list(patterns.shape),
        "notes": [*patterns.notes, *notes(predictions, metrics)],
        "methods": {answer.name: about(method, answer) for method, answer in zip(methods, answers, strict=True)},
        "selection": selection,
        "command": " ".join(sys.argv),
    }
    write_json(folder / "evaluation.json", told)
    report = write_evaluation_report(folder, cfg.report.embedding)
    show(metrics, predictions, selection["frames"], report)
    return metrics


def select(cfg: DictConfig, predictions: Predictions, patterns: PatternFile) -> dict[str, Any]:
    """Write the frames taken as single hits into ``selection/``; give their number and the files."""
    headline = predictions.headline
    chosen = headline.frame[(headline.decision == 1) & (~headline.abstain | cfg.selection.uncertain)]
    files = write_selection_lists(Path(cfg.folder) / "selection", patterns, chosen)
    return {"frames": len(chosen), "files": [f"selection/{name}" for name in files]}


def make_methods(cfg: DictConfig, rule: DecisionRule) -> Iterator[Method]:
    """The methods chosen from conf/method/ and the checkpoints, under names that differ.

    ``cfg.checkpoint`` is a run folder, a checkpoint, a pattern such as 'runs/han_resnet10/*', or a list of those.
    """
    names: set[str] = set()
    for name, settings in (cfg.get("method") or {}).items():
        make = instantiate(settings, _partial_=True)  # or Hydra would turn the rule into a configuration
        yield make(name=_unused(str(name), names), decision=rule)
    for entry in _entries(cfg.checkpoint):
        for checkpoint in find_checkpoints(entry):
            name = _unused(run_name(checkpoint), names)
            yield CheckpointMethod(name, checkpoint, instantiate, rule, cfg.batch_size, cfg.device, **cfg.preprocess)
    if not names:
        raise UserError("nothing to evaluate: add checkpoint=RUN_OR_CKPT, or method=NAME.")


def _entries(value: Any) -> list[str]:
    """One word, a list of words or null -> list."""
    if value is None:
        return []
    return [str(entry) for entry in value] if isinstance(value, ListConfig) else [str(value)]


def _unused(name: str, used: set[str]) -> str:
    """The name, with a number behind it if it is taken; it counts as taken from now on."""
    number, candidate = 1, name
    while candidate in used:
        number += 1
        candidate = f"{name} ({number})"
    used.add(candidate)
    return candidate


def open_patterns_of(data: DictConfig) -> PatternFile:
    """The pattern file behind a data configuration: all frames of data=hits, the test set of simulated ones."""
    settings = data.copy()  # a child of the same configuration, so that interpolations still hold
    with open_dict(settings):
        del settings["exclude"]
    module: pl.LightningDataModule = instantiate(settings, _convert_="all")
    module.prepare_data()
    module.setup("predict")
    patterns: PatternFile = module.splits["predict"].file  # type: ignore[attr-defined]
    return patterns


def excluded_frames(exclude: Sequence[int] | None, patterns: PatternFile) -> NDArray[np.int64]:
    """Frames to leave out of test_kept, (n,) int64, sorted; UserError if one is not there or nothing is labelled."""
    try:
        frames = np.unique(np.asarray(list(exclude or []), dtype=np.int64))
    except (TypeError, ValueError) as error:
        raise UserError(f"data.exclude={exclude} must be a list of frame numbers, e.g. [6,8,9].") from error
    if len(frames) and IS_SINGLE_HIT not in patterns.labels:
        raise UserError(
            f"data.exclude: {patterns.path} has no labels, so there are no numbers to leave frames out of; name "
            "the labels with data.keys.label=."
        )
    return patterns.check_indices(frames)


def found_centres(patterns: PatternFile, columns: dict[str, NDArray[Any]]) -> NDArray[np.float32] | None:
    """Beam centres found by symmetry, (N, 2) row, column, for a file that does not tell its own."""
    if BEAM_CENTRE in patterns.geometry or "beam_row" not in columns:
        return None
    return np.stack([columns["beam_row"], columns["beam_column"]], axis=1)


def about(method: Method, answer: Answer) -> dict[str, Any]:
    """What a method was and how fast it answered."""
    speed = {"seconds": round(answer.seconds, 3), "patterns_per_second": round(len(answer.frame) / answer.seconds, 1)}
    if not isinstance(method, CheckpointMethod):
        return speed
    weights = sum(parameter.numel() for parameter in method.task.parameters())
    return {"checkpoint": str(method.path), "weights": weights, "device": str(method.device), **speed}


def show(metrics: dict[str, Any], predictions: Predictions, chosen: int, report: Path) -> None:
    """Print a short table, one line for each method, and where the report lies."""
    console = Console(width=None if sys.stdout.isatty() else 110)
    stages = [stage for stage in ("test", "test_kept") if f"{stage}/accuracy" in metrics]
    for stage in stages:
        left_out = f"without {len(predictions.excluded)} excluded frames" if stage == "test_kept" else None
        table = Table(Column(overflow="fold"), *SHOWN.values(), title=left_out, title_justify="left")
        for name, numbers in metrics["methods"].items():
            table.add_row(name, *(_cell(numbers, f"{stage}/{number}") for number in SHOWN))
        console.print(table)
    count = len(predictions.headline.frame)
    console.print(f"{chosen} of {count} frames selected, {int(predictions.headline.abstain.sum())} uncertain")
    console.print(f"report: {report}", soft_wrap=True)


def _cell(numbers: dict[str, Any], key: str) -> str:
    value, low, high = (numbers.get(name) for name in (key, f"{key}/low", f"{key}/high"))
    return "-" if value is None else f"{value:.3f}\n{low:.2f}–{high:.2f}"
