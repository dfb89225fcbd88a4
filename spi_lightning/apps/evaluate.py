"""The command ``spi evaluate``: methods and what they are evaluated on, from a configuration."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Literal, cast

import numpy as np
from hydra.utils import get_object, instantiate
from omegaconf import DictConfig, OmegaConf

from spi_lightning import codec
from spi_lightning.apps.configuration.choose_methods import make_methods
from spi_lightning.apps.configuration.evaluated_data import open_frames, open_volumes
from spi_lightning.apps.configuration.plain_words import as_typed
from spi_lightning.apps.configuration.resolved import resolved
from spi_lightning.apps.configuration.value_types import NAMES, TEXT, check_types
from spi_lightning.apps.process.job_folder import record
from spi_lightning.console import Terminal
from spi_lightning.data.kind import kind_of_data
from spi_lightning.data.scale.stated_centre import stated_centre
from spi_lightning.errors import UserError
from spi_lightning.evaluation import Cache
from spi_lightning.evaluation.console_table import print_hits, print_note, print_supports, print_volumes
from spi_lightning.evaluation.hits import evaluate_hits, excluded_frames, write_hits
from spi_lightning.evaluation.hits.question import LabelledSubset
from spi_lightning.evaluation.supports import compare_supports
from spi_lightning.evaluation.volumes import VolumeQuestion, VolumeSettings, compare
from spi_lightning.evaluation.volumes.outputs import write_outputs
from spi_lightning.fields import BEAM_CENTRE
from spi_lightning.files import write_json
from spi_lightning.metrics.hits.hit_metrics import HitMetrics, HitNumber
from spi_lightning.reports import require_embedding, write_evaluation_report
from spi_lightning.reports.supports.page import write_supports_report
from spi_lightning.reports.volumes.page import write_volumes_report
from spi_lightning.results.decision import DecisionRule
from spi_lightning.results.supports import SUPPORTS_FILE
from spi_lightning.results.volumes import VOLUMES_FILE
from spi_lightning.settings import field_types
from spi_lightning.tasks.registry import trust
from spi_lightning.tracking import METRICS, earlier_notes, require_free
from spi_lightning.tracking.job_folders import alone

TYPES: Final = {
    **field_types(DecisionRule, "decision."),
    **field_types(LabelledSubset, "training_labels."),
    "methods": NAMES,
    "checkpoint": NAMES | None,
    "cache": TEXT,
    "views": Literal["none", "flips", "dihedral"] | None,
    "preprocess.crop": int | None,
    "preprocess.bin": int | None,
    "preprocess.speckle": float | None,
    "preprocess.beam_centre": tuple[float, float] | None,
    "data.exclude": Sequence[int] | None,
    "selection.method": TEXT,
    "report.embedding": Literal["pca", "tsne"],
}


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
    check_types(cfg, "evaluate", TYPES)
    folder = Path(cfg.folder)
    require_free(folder, resolved(cfg, whole=False))  # before hours of work
    for note in earlier_notes(folder):
        Terminal().print(str(note), soft_wrap=True)
    trust(cfg.trust)
    kinds = {"hits": _hits, "supports": _supports, "volumes": _volumes}
    return kinds[kind_of_data(get_object(cfg.data._target_))](cfg, folder, Cache.named(cfg.cache))


def _hits(cfg: DictConfig, folder: Path, cache: Cache) -> dict[str, Any]:
    """Evaluation of methods that select single hits: data=hits or data=simulated_hits."""
    rule, subset = DecisionRule(**cfg.decision), LabelledSubset(**cfg.training_labels)
    require_embedding(cfg.report.embedding)
    extra, methods = _extra_numbers(cfg.get("metric")), list(make_methods(cfg, "hits"))
    patterns = open_frames(cfg.data, "hits")
    if cfg.preprocess.beam_centre is not None:  # the user's word stands for that of the file, for all methods
        patterns.geometry[BEAM_CENTRE] = np.array(stated_centre(patterns, cfg.preprocess.beam_centre))
    result = evaluate_hits(
        patterns,
        methods,
        rule,
        subset,
        excluded=excluded_frames(cfg.data.exclude, patterns),
        primary=cfg.selection.method,
        cache=cache,
        show=print_note,
        replicates=cfg.bootstrap.replicates,
        seed=cfg.seed,
        extra=extra,
        device=cfg.device,
        hit_threshold=cfg.hits.threshold if len(patterns) <= cfg.frame_columns else None,
        gallery=cfg.report.gallery,
        occlusion=cfg.report.occlusion,
    )
    record(cfg)
    result = replace(result, path=str(cfg.data.get("path", patterns.path)), command=_command())
    result = write_hits(folder, result, patterns, cfg.selection.uncertain)
    print_hits(result, write_evaluation_report(folder, _figures(cfg), cfg.report.embedding))
    return result.metrics


def _supports(cfg: DictConfig, folder: Path, cache: Cache) -> dict[str, Any]:
    """Evaluation of methods that find supports: data=supports or data=simulated_supports."""
    chosen, methods = cfg.supports, list(make_methods(cfg, "supports"))
    if not 0 < chosen.fraction < 1:
        raise UserError(f"supports.fraction={chosen.fraction}: give a number between 0 and 1")
    patterns, scoring = open_frames(cfg.data, "supports"), {"replicates": cfg.bootstrap.replicates, "seed": cfg.seed}
    result = compare_supports(
        patterns, methods, cache, chosen.fraction, int(chosen.curve), int(chosen.gallery), scoring, print_note
    )
    result = replace(result, path=str(cfg.data.get("path", patterns.path)), command=_command())
    record(cfg)
    write_json(folder / METRICS, result.metrics)
    codec.save(folder / SUPPORTS_FILE, result)
    print_supports(result, write_supports_report(folder, _figures(cfg)))
    return dict(result.metrics)


def _volumes(cfg: DictConfig, folder: Path, cache: Cache) -> dict[str, Any]:
    """Evaluation of methods of 3D phasing: data=volumes, single_volume, one_scan or simulated_volumes."""
    settings = VolumeSettings(**cast(dict[str, Any], OmegaConf.to_container(cfg.volumes)), seed=int(cfg.seed))
    methods = list(make_methods(cfg, "volumes"))
    compared = compare(VolumeQuestion(open_volumes(cfg.data, settings), settings), methods, cache)
    record(cfg)
    result = compared.result(str(cfg.device), _command(), write_outputs(folder, compared))
    write_json(folder / METRICS, compared.metrics)
    codec.save(folder / VOLUMES_FILE, result)
    print_volumes(compared.metrics, result.notes, write_volumes_report(folder, _figures(cfg)))
    return compared.metrics


def _figures(cfg: DictConfig) -> Any:
    """Further figures of the report, functions of a result by their names."""
    return instantiate(cfg.report.figures, _convert_="all")


def _extra_numbers(metric: DictConfig | None) -> dict[str, HitNumber]:
    """Further numbers of ``metric=NAME``; UserError for metrics of another kind of data."""
    made = HitMetrics() if metric is None else instantiate(metric, _convert_="all")
    if not isinstance(made, HitMetrics):
        raise UserError(f"metric: {type(made).__name__} scores no single hits; choose hits, or one with extra numbers")
    return made.extra


def _command() -> str:
    """The command as it was typed, for the page."""
    name, *words = sys.argv[1:] or ["evaluate"]
    return as_typed("evaluate", sys.argv[1:]) if "=" in name else as_typed(name, words)
