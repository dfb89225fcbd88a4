"""Answer a file of patterns with one or several methods and leave numbers, lists and a report: behind evaluate.py."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytorch_lightning as pl
from hydra.utils import instantiate
from numpy.typing import NDArray
from omegaconf import DictConfig, OmegaConf, open_dict

from spi_lightning.apps.configuration.choose_methods import make_methods
from spi_lightning.apps.configuration.kinds import kind_of_data
from spi_lightning.apps.configuration.value_types import check_types
from spi_lightning.apps.process.job_folder import alone, record
from spi_lightning.console import Terminal
from spi_lightning.distributed import find_device
from spi_lightning.errors import UserError
from spi_lightning.evaluation.hits.cache import AnswerCache
from spi_lightning.evaluation.hits.console_lines import about, show
from spi_lightning.evaluation.hits.frame_columns import measure_frames
from spi_lightning.evaluation.hits.gallery import explain, found_centres, shown_frames
from spi_lightning.evaluation.hits.primary_method import headline_name, why_selects
from spi_lightning.evaluation.hits.runner import Interview, plan_notes
from spi_lightning.evaluation.hits.summary import notes, score
from spi_lightning.evaluation.hits.training_frames import frames_seen, seen_notes, union_of
from spi_lightning.fields import IS_SINGLE_HIT
from spi_lightning.files import write_json
from spi_lightning.io import PatternFile
from spi_lightning.methods import CheckpointMethod, DecisionRule, GivenPlan, Method, ensemble
from spi_lightning.metrics.hits.hit_metrics import HitMetrics, HitNumber
from spi_lightning.metrics.hits.method_agreement import common_set
from spi_lightning.notes import Note
from spi_lightning.reports import collect_gallery, require_embedding, write_evaluation_report
from spi_lightning.results.predictions import Predictions
from spi_lightning.results.selection import write_selection_lists
from spi_lightning.tasks.registry import trust
from spi_lightning.tracking import METRICS, earlier_notes, require_free

from .evaluate_supports import evaluate_supports
from .evaluate_volumes import evaluate_volumes


@alone
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
    require_free(Path(cfg.folder), cast(dict[str, Any], OmegaConf.to_container(cfg)))  # before hours of work
    for note in earlier_notes(Path(cfg.folder)):
        Terminal().print(str(note), soft_wrap=True)
    trust(cfg.trust)
    if (kind := kind_of_data(cfg.data)) != "hits":
        return {"supports": evaluate_supports, "volumes": evaluate_volumes}[kind](cfg)
    folder, rule = Path(cfg.folder), DecisionRule(**cfg.decision)
    require_embedding(cfg.report.embedding)
    plan = GivenPlan(**cfg.given)
    methods = list(make_methods(cfg, rule))
    networks = [method.name for method, _ in methods if _is_trained(method)]
    selects = headline_name(cfg.selection.method, [method.name for method, _ in methods], networks)
    patterns = open_patterns_of(cfg.data)
    plan.require_frames(len(patterns))
    for method, _ in methods:
        if isinstance(method, CheckpointMethod):
            method.require_size(patterns)
    seen = frames_seen([method for method, _ in methods], patterns)
    excluded = np.union1d(excluded_frames(cfg.data.exclude, patterns), union_of(seen))
    labels = {name: values for name, values in patterns.labels.items() if values.ndim == 1}
    if any(method.needs_given for method, _ in methods):
        plan = plan.settled(labels.get(IS_SINGLE_HIT))
    interview = Interview(patterns, labels.get(IS_SINGLE_HIT), plan, rule, AnswerCache(cfg.cache))
    asked = [interview(*method) for method in methods]
    record(cfg)
    trained = [each.answer for each, (method, _) in zip(asked, methods, strict=True) if _is_trained(method)]
    together = [ensemble(trained, rule)] if len(trained) > 1 else []
    headline = next(each for each in [*(one.answer for one in asked), *together] if each.name == selects)
    shown = [each.given for each in asked if len(each.given)]
    given = shown[0] if shown and not plan.folds else np.empty(0, dtype=np.int64)
    columns = _columns(cfg, patterns)
    predictions = Predictions(headline, [each.answer for each in asked], rule, labels, columns, excluded, given)
    predictions.write(folder)
    names, extra = [answer.name for answer in trained], further_numbers(cfg.metrics)
    metrics = score(predictions, names, cfg.bootstrap.replicates, cfg.seed, together, extra)
    if "comparison" in metrics:
        common = common_set([answer.decision for answer in predictions.answers])
        files = write_selection_lists(folder / "selection" / "common", patterns, common, "every method")
        metrics["comparison"]["common_files"] = [f"selection/common/{name}" for name in files]
    write_json(folder / METRICS, metrics)
    selection = select(cfg, predictions, patterns)
    if cfg.selection.method is None:
        selection["why"] = why_selects(selects, [answer.name for answer in predictions.answers], networks)
    frames = shown_frames(predictions, cfg.report.frames)
    collect_gallery(patterns, frames, found_centres(patterns, columns)).write(folder / "gallery.h5")
    said = [line for method, _ in methods for line in getattr(method, "notes", [])]
    explain(methods, patterns, frames, cfg.report.occlusion, folder)
    remarks = [*seen_notes(seen, patterns), *patterns.notes, *plan_notes(plan, asked), *said]
    remarks += notes(predictions, metrics)
    costs = {each.answer.name: about(method, each) for (method, _), each in zip(methods, asked, strict=True)}
    write_json(folder / "evaluation.json", _told(cfg, patterns, remarks, costs, selection))
    report = write_evaluation_report(folder, cfg.report.embedding, instantiate(cfg.report.figures, _convert_="all"))
    show(metrics, predictions, selection, report, remarks)
    return metrics


def _columns(cfg: DictConfig, patterns: PatternFile) -> dict[str, NDArray[Any]]:
    """What is measured of every frame, where there are not too many."""
    if len(patterns) > cfg.frame_columns:
        return {}
    return measure_frames(patterns, find_device(cfg.device), cfg.hits.threshold)


def _told(
    cfg: DictConfig, patterns: PatternFile, remarks: list[Note], methods: dict[str, Any], selection: dict[str, Any]
) -> dict[str, Any]:
    """What the page says of the file, the methods and the command."""
    return {
        "path": str(cfg.data.get("path", patterns.path)),
        "format": patterns.format,
        "shape": list(patterns.shape),
        "notes": [note.plain for note in remarks],
        "methods": methods,
        "selection": selection,
        "command": " ".join(sys.argv),
    }


def further_numbers(metric: DictConfig | None) -> dict[str, HitNumber]:
    """The further numbers of ``metric=NAME``; none without one. UserError for metrics of another kind of data."""
    made = HitMetrics() if metric is None else instantiate(metric, _convert_="all")
    if not isinstance(made, HitMetrics):
        raise UserError(f"metric: {type(made).__name__} scores no single hits; choose hits, or one with extra numbers")
    return made.extra


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


def _is_trained(method: Method) -> bool:
    return isinstance(method, CheckpointMethod)
