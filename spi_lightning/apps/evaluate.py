"""Answer a file of patterns with one or several methods and leave numbers, lists and a report: behind evaluate.py."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
from hydra.utils import instantiate
from numpy.typing import NDArray
from omegaconf import DictConfig, open_dict
from rich.console import Console
from rich.table import Column, Table

from spi_lightning.apps.choose_methods import make_methods
from spi_lightning.apps.evaluate_kinds import kind_of_data
from spi_lightning.apps.evaluate_supports import evaluate_supports
from spi_lightning.apps.evaluate_volumes import evaluate_volumes
from spi_lightning.apps.seen_frames import frames_seen, seen_notes, union_of
from spi_lightning.apps.train import record
from spi_lightning.apps.value_types import check_types
from spi_lightning.fields import BEAM_CENTRE, IS_SINGLE_HIT, UserError
from spi_lightning.io import PatternFile
from spi_lightning.methods import (
    AnswerCache,
    Asked,
    CheckpointMethod,
    DecisionRule,
    GivenPlan,
    Interview,
    Method,
    Predictions,
    ensemble,
    find_device,
    headline_name,
    layer_maps,
    measure_frames,
    notes,
    occlusion_maps,
    plan_notes,
    score,
    write_layer_maps,
    write_selection_lists,
)
from spi_lightning.methods.judgement import URGENT
from spi_lightning.metrics.agreement import common_set
from spi_lightning.reports import (
    DISPUTED,
    choose_disputed,
    choose_frames,
    collect_gallery,
    require_embedding,
    write_evaluation_report,
)
from spi_lightning.tasks.transfer_classification import TransferClassification
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
        cfg: conf/evaluate.yaml and what was laid over it; data of supports goes to evaluate_supports, of
            volumes to evaluate_volumes.

    Returns:
        What metrics.json holds.

    Raises:
        UserError: A mistake in settings, files or checkpoints.
    """
    check_types(cfg, "evaluate")
    if (kind := kind_of_data(cfg.data)) != "hits":
        return {"supports": evaluate_supports, "volumes": evaluate_volumes}[kind](cfg)
    folder, rule = Path(cfg.folder), DecisionRule(**cfg.decision)
    require_embedding(cfg.report.embedding)
    plan = GivenPlan(**cfg.given)
    methods = list(make_methods(cfg, rule))
    networks = [method.name for method, _ in methods if _is_trained(method)]
    selects = headline_name(cfg.selection.method, [method.name for method, _ in methods], networks)
    patterns = open_patterns_of(cfg.data)
    seen = frames_seen([method for method, _ in methods], patterns)
    excluded = np.union1d(excluded_frames(cfg.data.exclude, patterns), union_of(seen))
    labels = {name: values for name, values in patterns.labels.items() if values.ndim == 1}
    if any(method.needs_given for method, _ in methods):
        plan = plan.settled(labels.get(IS_SINGLE_HIT))
    interview = Interview(patterns, labels.get(IS_SINGLE_HIT), plan, rule, AnswerCache(cfg.cache))
    record(cfg)
    asked = [interview(*method) for method in methods]
    trained = [each.answer for each, (method, _) in zip(asked, methods, strict=True) if _is_trained(method)]
    together = [ensemble(trained, rule)] if len(trained) > 1 else []
    headline = next(each for each in [*(one.answer for one in asked), *together] if each.name == selects)
    shown = [each.given for each in asked if len(each.given)]
    given = shown[0] if shown and not plan.folds else np.empty(0, dtype=np.int64)
    columns = _columns(cfg, patterns)
    predictions = Predictions(headline, [each.answer for each in asked], rule, labels, columns, excluded, given)
    predictions.write(folder)
    metrics = score(predictions, [answer.name for answer in trained], cfg.bootstrap.replicates, cfg.seed, together)
    if "comparison" in metrics:
        common = common_set([answer.decision for answer in predictions.answers])
        files = write_selection_lists(folder / "selection" / "common", patterns, common, "every method")
        metrics["comparison"]["common_files"] = [f"selection/common/{name}" for name in files]
    write_json(folder / METRICS, metrics)
    selection = select(cfg, predictions, patterns)
    frames = _shown_frames(predictions, cfg.report.frames)
    collect_gallery(patterns, frames, found_centres(patterns, columns)).write(folder / "gallery.h5")
    said = [line for method, _ in methods for line in getattr(method, "notes", [])]
    explain(methods, patterns, frames, cfg.report.occlusion, folder)
    remarks = [*seen_notes(seen, patterns), *patterns.notes, *plan_notes(plan, asked), *said]
    remarks += notes(predictions, metrics)
    costs = {each.answer.name: about(method, each) for (method, _), each in zip(methods, asked, strict=True)}
    write_json(folder / "evaluation.json", _told(cfg, patterns, remarks, costs, selection))
    report = write_evaluation_report(folder, cfg.report.embedding)
    show(metrics, predictions, selection["frames"], report, [line for line in remarks if line.startswith(URGENT)])
    return metrics


def _columns(cfg: DictConfig, patterns: PatternFile) -> dict[str, NDArray[Any]]:
    """What is measured of every frame, where there are not too many."""
    if len(patterns) > cfg.frame_columns:
        return {}
    return measure_frames(patterns, find_device(cfg.device), cfg.hits.threshold)


def _shown_frames(predictions: Predictions, count: int) -> dict[str, NDArray[np.int64]]:
    """Frames of every gallery, also those on which the methods disagree."""
    headline, answers = predictions.headline, predictions.answers
    label, threshold = predictions.scored_label, predictions.rule.threshold
    frames = choose_frames(headline.probability, headline.decision, label, threshold, count)
    disputed = choose_disputed([each.decision for each in answers], [each.probability for each in answers], count)
    if len(disputed):
        frames[DISPUTED] = disputed
    return frames


def _told(
    cfg: DictConfig, patterns: PatternFile, remarks: list[str], methods: dict[str, Any], selection: dict[str, Any]
) -> dict[str, Any]:
    """What the page says of the file, the methods and the command."""
    return {
        "path": str(cfg.data.get("path", patterns.path)),
        "format": patterns.format,
        "shape": list(patterns.shape),
        "notes": remarks,
        "methods": methods,
        "selection": selection,
        "command": " ".join(sys.argv),
    }


def select(cfg: DictConfig, predictions: Predictions, patterns: PatternFile) -> dict[str, Any]:
    """Write the frames taken as single hits into ``selection/``; give their number and the files."""
    headline = predictions.headline
    chosen = headline.frame[(headline.decision == 1) & (~headline.abstain | cfg.selection.uncertain)]
    files = write_selection_lists(Path(cfg.folder) / "selection", patterns, chosen, headline.name)
    return {"frames": len(chosen), "by": headline.name, "files": [f"selection/{name}" for name in files]}


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


def explain(
    methods: Sequence[tuple[Method, Any]], patterns: PatternFile, choices: dict[str, Any], count: int, folder: Path
) -> None:
    """Write occlusion.h5, what the first network's answer hangs on in a few frames of every gallery, and layers.h5."""
    # not those with a frozen backbone, which may take a second for each of the hundreds of squares
    made = [method for method, _ in methods if isinstance(method, CheckpointMethod)]
    networks = [method for method in made if not isinstance(method.task, TransferClassification)]
    if not networks or count < 1:
        return
    turns = [frames[turn] for turn in range(count) for frames in choices.values() if turn < len(frames)]
    frames = np.asarray(list(dict.fromkeys(int(frame) for frame in turns))[:count], dtype=np.int64)
    occlusion_maps(networks[0], patterns, frames).write(folder / "occlusion.h5")
    if len(frames):
        first = int(frames[0])
        maps = layer_maps(networks[0], patterns, first)
        write_layer_maps(folder / "layers.h5", networks[0].name, first, patterns.read([first])[0], maps)


def _is_trained(method: Method) -> bool:
    return isinstance(method, CheckpointMethod)


def about(method: Method, asked: Asked) -> dict[str, Any]:
    """What a method was, what it was told and what its answer cost."""
    cost, count = asked.cost, len(asked.answer.frame)
    told: dict[str, Any] = {"seconds": round(cost.seconds, 3), "patterns_per_second": round(count / cost.seconds, 1)}
    memory = {"memory_mib": cost.memory_mib, "gpu_memory_mib": cost.gpu_memory_mib}
    told |= {name: round(value) for name, value in memory.items() if value is not None}
    if len(asked.given):
        told["given"] = len(asked.given)
    if asked.cached:
        told["cached"] = "yes"
    if not isinstance(method, CheckpointMethod):
        return told
    weights = sum(parameter.numel() for parameter in method.task.parameters())
    return {"checkpoint": str(method.path), "weights": weights, "device": str(method.device), **told}


def show(metrics: dict[str, Any], predictions: Predictions, chosen: int, report: Path, warnings: Sequence[str]) -> None:
    """Print a short table, one line for each method, what to beware of, and where the report lies."""
    console = Console(width=None if sys.stdout.isatty() else 110)
    stages = [stage for stage in ("test", "test_kept") if f"{stage}/accuracy" in metrics]
    for stage in stages:
        left_out = None
        if stage == "test_kept":
            left_out = f"without {len(predictions.excluded)} frames, excluded or seen in training"
        table = Table(Column(overflow="fold"), *SHOWN.values(), title=left_out, title_justify="left")
        for name, numbers in metrics["methods"].items():
            table.add_row(name, *(_cell(numbers, f"{stage}/{number}") for number in SHOWN))
        console.print(table)
    count = len(predictions.headline.frame)
    unsure, name = int(predictions.headline.abstain.sum()), predictions.headline.name
    console.print(f"{chosen} of {count} frames selected by {name}, {unsure} uncertain", soft_wrap=True, markup=False)
    for warning in warnings:
        console.print(warning, soft_wrap=True, markup=False)
    console.print(f"report: {report}", soft_wrap=True)


def _cell(numbers: dict[str, Any], key: str) -> str:
    value, low, high = (numbers.get(name) for name in (key, f"{key}/low", f"{key}/high"))
    return "-" if value is None else f"{value:.3f}\n{low:.2f}–{high:.2f}"
