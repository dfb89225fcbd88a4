"""Evaluate methods: python -m spi_lightning.apps.evaluate method=[NAME,RUN] data.path=FILE; in a clone evaluate.py."""

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import hydra
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf, open_dict
from rich.table import Table

from spi_lightning import codec
from spi_lightning.apps.configuration.choose_methods import as_plain_list, make_methods, make_support_methods
from spi_lightning.apps.configuration.kinds import kind_of_data
from spi_lightning.apps.configuration.value_types import check_types
from spi_lightning.apps.configuration.volume_data import open_volumes
from spi_lightning.apps.process.entry import run_app
from spi_lightning.apps.process.job_folder import alone, record
from spi_lightning.console import Terminal
from spi_lightning.errors import UserError, whole_number
from spi_lightning.evaluation import Cache
from spi_lightning.evaluation.console_table import NumberColumn, methods_table, print_summary
from spi_lightning.evaluation.hits import evaluate_hits, excluded_frames, write_hits
from spi_lightning.evaluation.supports.compare import compare_supports
from spi_lightning.evaluation.volumes import VolumeQuestion, VolumeSettings, compare
from spi_lightning.evaluation.volumes.outputs import write_outputs
from spi_lightning.files import write_json
from spi_lightning.io import PatternFile
from spi_lightning.locations import CONF
from spi_lightning.methods import LabelledSubset
from spi_lightning.metrics.hits.hit_metrics import HitMetrics, HitNumber
from spi_lightning.notes import Level, Note
from spi_lightning.reports import require_embedding, write_evaluation_report
from spi_lightning.reports.hits.choice import left_out_of
from spi_lightning.reports.supports.page import write_supports_report
from spi_lightning.reports.volumes.page import write_volumes_report
from spi_lightning.results.decision import DecisionRule
from spi_lightning.results.hits import HitResult
from spi_lightning.results.supports import SUPPORTS_FILE, SupportResult
from spi_lightning.results.volumes import VOLUMES_FILE, VolumeResult
from spi_lightning.tasks.registry import trust
from spi_lightning.tracking import METRICS, earlier_notes, require_free

from .volume_methods import make_volume_methods

ResultT = TypeVar("ResultT", HitResult, SupportResult)
HITS: Final = {
    "accuracy": "accuracy",
    "auroc": "AUROC",
    "false_positive_rate": "FPR",
    "fpr_at_90_recall": "FPR at 90 % recall",
    "calibration_error": "ECE",
}
SUPPORTS: Final = (
    NumberColumn("test/below_two_false_negatives", "< 2 FN", ".1%"),
    NumberColumn("test/false_negatives", "FN", ".1f"),
    NumberColumn("test/false_positives", "FP", ".1f"),
    NumberColumn("test/area_ratio", "area ratio", ".2f"),
    NumberColumn("test/iou", "IoU", ".2f"),
    NumberColumn("test/centrosymmetry_broken", "asymmetric", ".1%"),
)
WITHOUT_TRUTH: Final = (NumberColumn("test/area", "area", ".1f"), SUPPORTS[-1])
VOLUMES: Final = (
    NumberColumn("chi_square", "χ² fitted"),
    NumberColumn("held_out_chi_square", "χ² held out"),
    NumberColumn("correlation", "r_p"),
    NumberColumn("held_out_correlation", "r_p held out"),
    NumberColumn("free_voxels", "free voxels"),
    NumberColumn("density_error", "density error"),
    NumberColumn("seconds_per_run", "s / run"),
)


@alone
def evaluate(cfg: DictConfig) -> dict[str, Any]:
    """Evaluate methods on the data of a configuration.

    Args:
        cfg: conf/evaluate.yaml with what was laid over it.

    Returns:
        Numbers of metrics.json.

    Raises:
        UserError: A mistake in settings, files or checkpoints.
    """
    check_types(cfg, "evaluate")
    require_free(Path(cfg.folder), cast(dict[str, Any], OmegaConf.to_container(cfg)))  # before hours of work
    for note in earlier_notes(Path(cfg.folder)):
        Terminal().print(str(note), soft_wrap=True)
    trust(cfg.trust)
    kinds = {"hits": _hits, "supports": _supports, "volumes": _volumes}
    return kinds[kind_of_data(cfg.data)](cfg, Cache.named(cfg.cache))


def _hits(cfg: DictConfig, cache: Cache) -> dict[str, Any]:
    """Evaluation of methods that select single hits: data=hits or data=simulated_hits."""
    rule, subset = DecisionRule(**cfg.decision), LabelledSubset(**cfg.training_labels)
    require_embedding(cfg.report.embedding)
    extra, methods = _extra_numbers(cfg.get("metric")), list(make_methods(cfg))
    patterns = _open_patterns(cfg.data)
    result = evaluate_hits(
        patterns,
        methods,
        rule,
        subset,
        excluded=excluded_frames(cfg.data.exclude, patterns),
        primary=cfg.selection.method,
        cache=cache,
        show=_print_note,
        replicates=cfg.bootstrap.replicates,
        seed=cfg.seed,
        extra=extra,
        device=cfg.device,
        hit_threshold=cfg.hits.threshold if len(patterns) <= cfg.frame_columns else None,
        gallery=cfg.report.gallery,
        occlusion=cfg.report.occlusion,
    )
    record(cfg)
    result = write_hits(Path(cfg.folder), _named(result, cfg), patterns, cfg.selection.uncertain)
    figures = instantiate(cfg.report.figures, _convert_="all")
    report = write_evaluation_report(Path(cfg.folder), figures, cfg.report.embedding)
    print_summary(*_hit_summary(result), result.notes, report, Level.HINT)
    return result.metrics


def _supports(cfg: DictConfig, cache: Cache) -> dict[str, Any]:
    """Evaluation of methods that find supports: data=supports or data=simulated_supports."""
    fraction = cfg.supports.fraction
    if not isinstance(fraction, int | float) or not 0 < fraction < 1:
        raise UserError(f"supports.fraction={fraction}: give a number between 0 and 1")
    curve, gallery = (whole_number(f"supports.{name}", cfg.supports[name], 0) for name in ("curve", "gallery"))
    methods = list(make_support_methods(cfg))
    patterns = _open_patterns(cfg.data, excludes=False)
    scoring = {"replicates": cfg.bootstrap.replicates, "seed": cfg.seed}
    result = _named(compare_supports(patterns, methods, cache, fraction, curve, gallery, scoring, _print_note), cfg)
    columns = (*(WITHOUT_TRUTH if result.truth is None else SUPPORTS), NumberColumn("ms", "ms / pattern", ".2f"))
    scores = result.metrics["methods"]
    numbers = {method.name: {**scores[method.name], "ms": method.ms_per_pattern} for method in result.methods}
    sentence = "no true densities in this file: supports are displayed and compared with each other"
    record(cfg)
    report = write_supports_report(Path(cfg.folder), _write(cfg, SUPPORTS_FILE, result, result.metrics))
    print_summary([methods_table(numbers, columns)], [sentence] * (result.truth is None), result.notes, report)
    return dict(result.metrics)


def _volumes(cfg: DictConfig, cache: Cache) -> dict[str, Any]:
    """Phasing by some methods, compared: data=volumes, single_volume, one_scan or simulated_volumes."""
    settings = VolumeSettings(**cast(dict[str, Any], OmegaConf.to_container(cfg.volumes)), seed=int(cfg.seed))
    methods = list(make_volume_methods(cfg))
    compared = compare(VolumeQuestion(open_volumes(cfg.data, settings), settings), methods, cache)
    record(cfg)
    written, metrics = write_outputs(Path(cfg.folder), compared), compared.metrics
    result = compared.result(str(cfg.device), " ".join(sys.argv), written)
    report = write_volumes_report(Path(cfg.folder), _write(cfg, VOLUMES_FILE, result, metrics))
    columns = [one for one in VOLUMES if any(one.key in numbers for numbers in metrics["methods"].values())]
    print_summary([methods_table(metrics["methods"], columns, "medians over runs")], [], result.notes, report)
    return metrics


def _open_patterns(data: DictConfig, excludes: bool = True) -> PatternFile:
    """Pattern file behind a data configuration: all frames of a file, the test set of simulated ones.

    Args:
        data: One of conf/data/ whose patterns are frames.
        excludes: Whether ``data.exclude`` may name frames, which are left out elsewhere.
    """
    settings = data.copy()  # a child of the same configuration, so that interpolations still hold
    with open_dict(settings):
        if settings.pop("exclude", None) and not excludes:
            raise UserError("data.exclude leaves out frames of single-hit data; supports have no doubtful labels")
        if "patterns" in settings:
            settings.patterns = {"test": settings.patterns.test}  # no training set is made for an evaluation
    module = instantiate(settings, _convert_="all")
    module.prepare_data()
    module.setup("predict")
    patterns: PatternFile = module.splits["predict"].file
    return patterns


def _named(result: ResultT, cfg: DictConfig) -> ResultT:
    """A result with the path of its data as the user gave it, and the command."""
    path = str(cfg.data.get("path", result.path))
    return replace(result, path=path, command=" ".join(sys.argv))


def _write(cfg: DictConfig, name: str, result: SupportResult | VolumeResult, metrics: Mapping[str, Any]) -> Any:
    """Write metrics.json and the file of a result; figures of the user's own for its page."""
    write_json(Path(cfg.folder) / METRICS, metrics)
    codec.save(Path(cfg.folder) / name, result)
    return instantiate(cfg.report.figures, _convert_="all")


def _hit_summary(result: HitResult) -> tuple[list[Table], list[str]]:
    """Numbers of each method, and the number of selected frames."""
    metrics, primary = result.metrics, result.primary
    numbers = HITS | {name: name for name in metrics.get("extra", ())}
    left_out = f"without {len(result.excluded)} frames, excluded or of a method's training"
    tables = [
        methods_table(
            metrics["methods"],
            [NumberColumn(f"{stage}/{name}", title, ".3f", ".2f") for name, title in numbers.items()],
            title,
        )
        for stage, title in (("test", None), ("test_kept", left_out))
        if f"{stage}/accuracy" in metrics
    ]
    chosen, taken = len(result.selected.frame), int(primary.decision.sum())
    line = f"{chosen} of {result.shape[0]} frames selected by {primary.name}, {int(primary.abstain.sum())} uncertain"
    return tables, [f"{line}{left_out_of(chosen, taken)}{result.selected.reason}"]


def _print_note(note: Note) -> None:
    """Print a note of a method to the standard error."""
    Terminal(stderr=True).print(str(note), soft_wrap=True, highlight=False)


def _extra_numbers(metric: DictConfig | None) -> dict[str, HitNumber]:
    """Further numbers of ``metric=NAME``; UserError for metrics of another kind of data."""
    made = HitMetrics() if metric is None else instantiate(metric, _convert_="all")
    if not isinstance(made, HitMetrics):
        raise UserError(f"metric: {type(made).__name__} scores no single hits; choose hits, or one with extra numbers")
    return made.extra


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="evaluate")
def main(cfg: DictConfig) -> None:
    """Answer a file of patterns with one or several methods and report."""
    evaluate(cfg)


def start() -> None:
    """The app as the command line calls it."""
    sys.argv[1:] = as_plain_list(sys.argv[1:])
    run_app(main)


if __name__ == "__main__":
    start()
