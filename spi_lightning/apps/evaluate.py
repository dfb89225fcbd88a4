"""Evaluate methods: python -m spi_lightning.apps.evaluate method=[NAME,RUN] data.path=FILE; in a clone evaluate.py."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import hydra
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf, open_dict

from spi_lightning.apps.configuration.choose_methods import as_plain_list, make_methods
from spi_lightning.apps.configuration.kinds import kind_of_data
from spi_lightning.apps.configuration.value_types import check_types
from spi_lightning.apps.process.entry import run_app
from spi_lightning.apps.process.job_folder import alone, record
from spi_lightning.console import Terminal
from spi_lightning.errors import UserError
from spi_lightning.evaluation import Cache
from spi_lightning.evaluation.hits import evaluate_hits, excluded_frames, write_hits
from spi_lightning.evaluation.hits.console_lines import print_hits
from spi_lightning.io import PatternFile
from spi_lightning.locations import CONF
from spi_lightning.methods import LabelledSubset
from spi_lightning.metrics.hits.hit_metrics import HitMetrics, HitNumber
from spi_lightning.notes import Note
from spi_lightning.reports import require_embedding, write_evaluation_report
from spi_lightning.results.hit_answer import DecisionRule
from spi_lightning.tasks.registry import trust
from spi_lightning.tracking import earlier_notes, require_free

from .evaluate_supports import evaluate_supports
from .evaluate_volumes import evaluate_volumes


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
    kinds: dict[str, Callable[[DictConfig], dict[str, Any]]] = {
        "hits": _hits,
        "supports": evaluate_supports,
        "volumes": evaluate_volumes,
    }
    return kinds[kind_of_data(cfg.data)](cfg)


def _hits(cfg: DictConfig) -> dict[str, Any]:
    """Evaluation of methods that select single hits: data=hits or data=simulated_hits."""
    folder, rule, subset = Path(cfg.folder), DecisionRule(**cfg.decision), LabelledSubset(**cfg.training_labels)
    require_embedding(cfg.report.embedding)
    extra, methods = _extra_numbers(cfg.get("metric")), list(make_methods(cfg))
    patterns = open_patterns_of(cfg.data)
    result = evaluate_hits(
        patterns,
        methods,
        rule,
        subset,
        excluded=excluded_frames(cfg.data.exclude, patterns),
        primary=cfg.selection.method,
        cache=Cache.named(cfg.cache),
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
    result = replace(result, path=str(cfg.data.get("path", patterns.path)), command=" ".join(sys.argv))
    result = write_hits(folder, result, patterns, cfg.selection.uncertain)
    print_hits(
        result,
        write_evaluation_report(folder, cfg.report.embedding, instantiate(cfg.report.figures, _convert_="all")),
    )
    return result.metrics


def print_note(note: Note) -> None:
    """Print a note of a method to the standard error."""
    Terminal(stderr=True).print(str(note), soft_wrap=True, highlight=False)


def open_patterns_of(data: DictConfig) -> PatternFile:
    """Pattern file behind a data configuration: all frames of data=hits, the test set of simulated ones."""
    settings = data.copy()  # a child of the same configuration, so that interpolations still hold
    with open_dict(settings):
        del settings["exclude"]
    module = instantiate(settings, _convert_="all")
    module.prepare_data()
    module.setup("predict")
    patterns: PatternFile = module.splits["predict"].file
    return patterns


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
