"""Command of supports: methods compared on patterns, against the truth where it is known; evaluate.py data=supports."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig, open_dict

from spi_lightning import codec
from spi_lightning.apps.configuration.choose_methods import make_support_methods
from spi_lightning.data.supports import SupportBatches
from spi_lightning.errors import UserError, whole_number
from spi_lightning.evaluation.cache import Cache
from spi_lightning.evaluation.console_table import NumberColumn, methods_table, print_summary
from spi_lightning.evaluation.supports.compare import compare_supports
from spi_lightning.files import write_json
from spi_lightning.io import PatternFile
from spi_lightning.reports.supports.page import write_supports_report
from spi_lightning.results.supports import SUPPORTS_FILE, SupportResult
from spi_lightning.tracking import METRICS

from .process.job_folder import record

COLUMNS = (
    NumberColumn("test/below_two_false_negatives", "< 2 FN", ".1%"),
    NumberColumn("test/false_negatives", "FN", ".1f"),
    NumberColumn("test/false_positives", "FP", ".1f"),
    NumberColumn("test/area_ratio", "area ratio", ".2f"),
    NumberColumn("test/iou", "IoU", ".2f"),
    NumberColumn("test/centrosymmetry_broken", "asymmetric", ".1%"),
)
WITHOUT_TRUTH = (NumberColumn("test/area", "area", ".1f"), COLUMNS[-1])


def evaluate_supports(cfg: DictConfig) -> dict[str, Any]:
    """Answer, score, write and report what a configuration describes.

    Args:
        cfg: conf/evaluate.yaml with data=supports or data=simulated_supports.

    Returns:
        What metrics.json holds.

    Raises:
        UserError: A mistake in settings, files or checkpoints.
    """
    folder, fraction = Path(cfg.folder), cfg.supports.fraction
    if not isinstance(fraction, int | float) or not 0 < fraction < 1:
        raise UserError(f"supports.fraction={fraction}: give a number between 0 and 1")
    curve, gallery = (whole_number(f"supports.{name}", cfg.supports[name], 0) for name in ("curve", "gallery"))
    methods = list(make_support_methods(cfg))
    patterns = open_supports_of(cfg.data)
    scoring = {"replicates": cfg.bootstrap.replicates, "seed": cfg.seed}
    cache = Cache.named(cfg.cache)
    result = compare_supports(patterns, methods, cache, fraction, curve, gallery, scoring)
    result = replace(result, path=str(cfg.data.get("path", patterns.path)), command=" ".join(sys.argv))
    record(cfg)
    write_json(folder / METRICS, result.metrics)
    codec.save(folder / SUPPORTS_FILE, result)
    print_result(result, write_supports_report(folder, instantiate(cfg.report.figures, _convert_="all")))
    return dict(result.metrics)


def open_supports_of(data: DictConfig) -> PatternFile:
    """The pattern file behind a data configuration: all frames of data=supports, the test set of simulated ones."""
    settings = data.copy()  # a child of the same configuration, so that interpolations still hold
    with open_dict(settings):
        if settings.pop("exclude", None):
            raise UserError("data.exclude leaves out frames of single-hit data; supports have no doubtful labels")
        if "patterns" in settings:
            settings.patterns = {"test": settings.patterns.test}  # no training set is made for an evaluation
    module: SupportBatches = instantiate(settings, _convert_="all")
    module.prepare_data()
    module.setup("predict")
    patterns: PatternFile = module.splits["predict"].file  # type: ignore[attr-defined]
    return patterns


def print_result(result: SupportResult, report: Path) -> None:
    """Print one line for each method, the notes, and where the report lies."""
    columns = (*(WITHOUT_TRUTH if result.truth is None else COLUMNS), NumberColumn("ms", "ms / pattern", ".2f"))
    scores = result.metrics["methods"]
    numbers = {method.name: {**scores[method.name], "ms": method.ms_per_pattern} for method in result.methods}
    table = methods_table(numbers, columns)
    sentences = ["no true densities in this file: supports are displayed and compared with each other"]
    print_summary([table], sentences if result.truth is None else [], result.notes, report)
