"""The command ``spi tune``: fine-tune the general classifier on simulated patterns like those of a file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from hydra import compose
from hydra.utils import instantiate
from numpy.typing import NDArray
from omegaconf import DictConfig, OmegaConf

from spi_lightning import codec
from spi_lightning.apps.configuration.plain_words import choice_of_file, quoted
from spi_lightning.apps.configuration.surveyed import TYPES as SURVEYED
from spi_lightning.apps.configuration.surveyed import like_file, network, surveyed
from spi_lightning.apps.configuration.value_types import TEXT, check_types
from spi_lightning.apps.train import fit
from spi_lightning.console import Terminal
from spi_lightning.data.survey.labelled import draw_labelled, labelled_cells
from spi_lightning.data.survey.recipe import PROPOSED, write_recipe
from spi_lightning.data.survey.survey import Survey
from spi_lightning.errors import whole_number
from spi_lightning.evaluation.console_table import print_hits, print_note
from spi_lightning.evaluation.hits import evaluate_hits, write_hits
from spi_lightning.evaluation.hits.tuned import AFTER, BEFORE, answers_of, changes, decision_shift, simulated_numbers
from spi_lightning.fields import IS_SINGLE_HIT, LOGITS
from spi_lightning.files import write_json
from spi_lightning.io import PatternFile
from spi_lightning.reports import write_evaluation_report
from spi_lightning.reports.simulated.tuning import change_lines, write_tuning_page
from spi_lightning.results.decision import DecisionRule
from spi_lightning.settings import as_words, entries_of, field_types
from spi_lightning.tasks.checkpoint import shift_answers
from spi_lightning.tasks.checkpoint_files import BEST
from spi_lightning.tasks.registry import trust
from spi_lightning.tracking.job_folders import alone

TYPES: Final = {
    **SURVEYED,
    **field_types(DecisionRule, "decision."),
    "recipe": TEXT,
}
RECIPE, LABELLED, CHANGES, PAGE, EVALUATION = "tuned.yaml", "labelled.h5", "tuned.json", "tuned.html", "evaluation"
_UNSEEN: Final = 1 << 21  # first block of a simulation that no training draws


@alone
def tune(cfg: DictConfig) -> dict[str, Any]:
    """Survey a file, simulate patterns like its own, train on them from the chosen weights, and say what changed.

    Args:
        cfg: conf/tune.yaml with what was laid over it.

    Returns:
        What changed, as in tuned.json.

    Raises:
        UserError: A mistake in settings, files or checkpoints, or a file without hits.
    """
    check_types(cfg, "tune", TYPES)
    trust(cfg.trust)
    folder, rule = Path(cfg.folder), DecisionRule(**cfg.decision)
    before = network(cfg, BEFORE, cfg.checkpoint)
    patterns, found = surveyed(cfg, before, folder / PROPOSED)
    recipe = Path(cfg.recipe) if cfg.recipe else write_recipe(found, folder / RECIPE, entries_of(cfg.bodies) or None)
    learned = draw_labelled(patterns, whole_number("labels.most", cfg.labels.most, 0), cfg.seed)
    words = _training_words(cfg, recipe, _kept_labels(cfg, patterns, learned, found))
    fit(compose("train", overrides=[*words, f"folder={quoted(str(folder))}"]), words)
    like = like_file(recipe, "canonical")
    after, shift = network(cfg, AFTER, folder, float(like.speckle)), 0.0
    logits = answers_of(after, found.cells, found.cells_mask)[LOGITS]
    if cfg.calibrate and (shift := decision_shift(logits.double().numpy())):
        shift_answers(folder / BEST, shift)
        after = network(cfg, AFTER, folder, float(like.speckle))
    scored = patterns.changed(labels=_without(patterns, learned))
    result = evaluate_hits(scored, [before, after], rule, primary=AFTER, show=print_note, seed=cfg.seed, device="cpu")
    result = replace(result, path=str(cfg.data.path))
    result = write_hits(folder / EVALUATION, result, scored)
    drawn = instantiate(like, _convert_="all")(_UNSEEN, cfg.seed)
    numbers = changes(result) | {"labels_learned": learned.tolist(), "shift": shift}
    numbers["simulated"] = {one.name: simulated_numbers(one, drawn) for one in (before, after)}
    write_json(folder / CHANGES, numbers)
    write_tuning_page(folder / PAGE, found, drawn, recipe.read_text(encoding="utf-8"), numbers)
    print_hits(result, write_evaluation_report(folder / EVALUATION, {}))
    for line in (*change_lines(numbers), f"page: {folder / PAGE}", f"run folder: {folder}"):
        Terminal().print(line, soft_wrap=True)
    return numbers


def _kept_labels(cfg: DictConfig, patterns: PatternFile, learned: NDArray[np.int64], found: Survey) -> Path | None:
    """File of the labelled frames that are learned from, in the run folder; None without any."""
    if len(learned) == 0:
        return None
    path = Path(cfg.folder).resolve() / LABELLED
    codec.save(path, labelled_cells(patterns, learned, found.scale, cfg.hits.threshold))
    return path


def _without(patterns: PatternFile, learned: NDArray[np.int64]) -> dict[str, Any]:
    """Labels of a file, unknown for the frames that were learned from."""
    if len(learned) == 0:
        return patterns.labels
    label = np.array(patterns.labels[IS_SINGLE_HIT], dtype=np.int64)
    label[learned] = -1
    return {**patterns.labels, IS_SINGLE_HIT: label}


def _training_words(cfg: DictConfig, recipe: Path, labelled: Path | None) -> list[str]:
    """Overrides of spi train that make the training."""
    words = [
        "experiment=tune",
        f"checkpoint={quoted(str(cfg.checkpoint))}",
        choice_of_file(f"simulate@simulate.parts.tuned={recipe}"),
        f"simulate.shares.general={cfg.general}",
        f"simulate.shares.tuned={1 - cfg.general}",
        f"trainer.max_steps={whole_number('steps', cfg.steps, 1)}",
        f"optimizer.lr={cfg.rate}",
        f"seed={cfg.seed}",
        f"trust={list(entries_of(cfg.trust))}",
    ]
    if labelled is not None:
        target = "_target_: spi_lightning.simulate.LabelledFrames"
        words.append(f"+simulate.parts.labelled={{{target}, path: {quoted(str(labelled))}}}")
        words.append(f"+simulate.shares.labelled={cfg.labels.share / max(1e-6, 1 - cfg.labels.share)}")
    return [*words, *map(choice_of_file, as_words(OmegaConf.to_container(cfg.train)))]
