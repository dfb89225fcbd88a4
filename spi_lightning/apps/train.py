"""The command ``spi train``: train a task, and evaluate its best checkpoint."""

import shlex
import time
from collections.abc import Mapping, Sequence
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytorch_lightning as pl
from hydra.utils import get_class, instantiate
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.callbacks import WeightAveraging
from pytorch_lightning.loggers import Logger

from spi_lightning.apps.configuration.composed_files import notes_on_replaced_choices
from spi_lightning.apps.configuration.fitting_parts import choice_of
from spi_lightning.apps.configuration.mistake_lines import one_line
from spi_lightning.apps.configuration.resolved import command_words, recorded
from spi_lightning.apps.configuration.resume import resumed_settings
from spi_lightning.apps.configuration.value_types import TEXT, check_types
from spi_lightning.apps.process.job_folder import record
from spi_lightning.callbacks import (
    Changes,
    DecideAtValidation,
    KeepEvaluation,
    ResumeInSamples,
    ResumeWithChanges,
    SaveConfig,
    SeedEveryStep,
    StopDivergence,
)
from spi_lightning.callbacks.validation import ended_before
from spi_lightning.data import PatternBatches
from spi_lightning.distributed import launched
from spi_lightning.errors import UserError
from spi_lightning.evaluation.console_table import print_note
from spi_lightning.files import remove_stale_parts, write_json
from spi_lightning.mistakes import stopped_with
from spi_lightning.reports import write_training_figures
from spi_lightning.reports.training import print_numbers
from spi_lightning.tasks.checkpoint import load_weights, member_of, read_start
from spi_lightning.tasks.checkpoint_files import BEST, LAST, run_of
from spi_lightning.tasks.fitting import require_fit
from spi_lightning.tasks.registry import trust
from spi_lightning.tasks.trained_task import evaluate_best
from spi_lightning.tracking import METRICS, AtomicCheckpointIO, Tracking
from spi_lightning.tracking.job_folders import alone
from spi_lightning.tracking.overrides import all_words
from spi_lightning.tracking.resumed_run import ResumedRun, restored_state
from spi_lightning.tracking.run_folder import undone_after
from spi_lightning.tracking.sweep_jobs import closed_if_pruned


@alone
def train(cfg: DictConfig) -> float:
    """Train the task of a configuration, evaluate its best checkpoint and write all results into the run folder.

    Args:
        cfg: conf/train.yaml with its overrides. With ``checkpoint`` set, network, preprocessing and classes are
            those of the checkpoint, not those of the settings; with ``resume``, see configuration.resume.

    Returns:
        The number named by ``cfg.objective``, of the best checkpoint.

    Raises:
        UserError: A mistake in settings, files or checkpoints.
    """
    trust(cfg.trust)
    return fit(resumed_settings(cfg), all_words(command_words() or [], cfg.resume))


def fit(cfg: DictConfig, words: Sequence[str]) -> float:
    """Train by settings, those of a resumed run in the place of the command's; see train.

    A task keeps the numbers of its last validation and test in ``results`` and names those to print in ``displayed``.

    Args:
        cfg: Settings of the training.
        words: Overrides that the run folder records.
    """
    resolve_length(cfg, words)
    weights, resumed = starting_weights(cfg, words), ResumedRun.of(cfg.resume)
    require_fit(cast(Mapping[str, Any], cfg), choice_of)
    check_types(cfg, "train", {"resume": TEXT, "checkpoint": TEXT, "member": int | None})
    for note in notes_on_replaced_choices() if not launched() else ():
        print_note(note)
    folder, loggers, config = Path(cfg.folder), cast(list[Logger], []), recorded(cfg)
    pl.seed_everything(cfg.seed, workers=True, verbose=False)
    data, task, chosen = (instantiate(part, _convert_="all") for part in (cfg.data, cfg.task, cfg.tracking))
    tracking = Tracking(filter(None, chosen.values()))
    if weights:
        load_weights(task, weights, f"checkpoint={cfg.checkpoint}: its weights do not fit this network")
    trainer = make_trainer(cfg, config, resumption(resumed, config, task))
    if isinstance(data, PatternBatches):  # which counts its position in an epoch
        data.limit, trainer.limit_train_batches = trainer.limit_train_batches, 1.0
    with undone_after(partial(is_early_mistake, trainer), folder, lambda: tracking.discard(loggers)):
        record(cfg, words)
        remove_stale_parts(folder)
        if resumed:
            resumed.copy_results(folder)
        steps, last = (resumed.steps, resumed.epoch_row) if resumed else (None, None)
        loggers += tracking.loggers(folder, config, steps, last)
        trainer.loggers = loggers
        began = time.perf_counter()
        pruned = closed_if_pruned(lambda: tracking.finish(loggers, {}))
        with restored_state(resumed), pruned, stopped_with(lambda: remedy_of(folder)):
            trainer.fit(task, data, ckpt_path=resumed.path if resumed else None, weights_only=True)
        before = resumed.optimiser_steps if resumed else None
        end = ended_before(trainer, cfg.trainer.max_epochs, cfg.trainer.max_steps, before)
        if resumed and before == trainer.global_step:
            require_unchanged(resumed, config, str(end))
    numbers = {"train/seconds": time.perf_counter() - began, "train/steps": trainer.global_step}
    numbers |= evaluate_best(trainer, task, data, folder / BEST)  # the best checkpoint brings its callbacks' state, too
    if trainer.is_global_zero:
        write_json(folder / METRICS, numbers)
        write_training_figures(folder)
        tracking.finish(loggers, numbers, folder / BEST)
        weights = sum(parameter.numel() for parameter in task.parameters())
        print_numbers(numbers, task.displayed, weights, [end, f"run folder: {folder}"])
    if cfg.objective not in numbers:
        raise UserError(f"objective={cfg.objective} was not measured; there are {', '.join(sorted(numbers))}")
    return float(numbers[cfg.objective])


def require_unchanged(resumed: ResumedRun, config: dict[str, Any], end: str) -> None:
    """UserError where a command that trains nothing would write other settings into a run than those that made it.

    Args:
        resumed: Run that is resumed.
        config: Settings of the command as plain containers.
        end: Why nothing was trained.
    """
    if changed := Changes.of(resumed.settings, config).words:
        raise UserError(f"resume={run_of(resumed.path)}: {end}. Not of that run: {'; '.join(changed)}")


def remedy_of(folder: Path) -> str:
    """How a training that was stopped goes on."""
    line = f"{shlex.join(['spi', 'train', f'resume={folder}'])} goes on from its last checkpoint"
    return line if (folder / LAST).is_file() else "before its first checkpoint; the same command begins again"


def is_early_mistake(trainer: pl.Trainer, error: Exception) -> bool:
    """Whether an error is the user's and came before the first checkpoint, in the process that writes."""
    saved = trainer.strategy.checkpoint_io.saved  # type: ignore[attr-defined]
    return one_line(error) is not None and trainer.is_global_zero and not saved


def resumption(resumed: ResumedRun | None, config: dict[str, Any], task: pl.LightningModule) -> list[ResumeWithChanges]:
    """Callback that fits the state of a resumed run to the settings of the command; none for a new run.

    Args:
        resumed: Run that is resumed.
        config: Settings of the command as plain containers.
        task: Task made of these settings.

    Raises:
        UserError: The weights of the run do not fit the network.
    """
    if resumed is None:
        return []
    changes = Changes.of(resumed.settings, config)
    if network := changes.within("task.network", "task.classes"):
        mistake = f"{resumed.path}: its weights do not fit, since {'; '.join(network)}; a new run may have that"
        load_weights(deepcopy(task), resumed.weights, mistake)
    before = resumed.settings["task"]["optimizer"] if changes.within("task.optimizer") else None
    return [ResumeWithChanges(changes, before and instantiate(before, _convert_="all"))]


def make_trainer(cfg: DictConfig, config: dict[str, Any], resumption: Sequence[pl.Callback] = ()) -> pl.Trainer:
    """Lightning's trainer with all callbacks and without its loggers; UserError for settings that it refuses.

    Args:
        cfg: Settings of the training.
        config: The same as plain containers, which every checkpoint holds.
        resumption: Callbacks that restore a resumed run.
    """
    chosen = sorted(filter(None, instantiate(cfg.callbacks).values()), key=_averages, reverse=True)
    callbacks = [StopDivergence(), DecideAtValidation(), *chosen, SaveConfig(config), SeedEveryStep(cfg.seed)]
    make, plugin = instantiate(cfg.trainer, _partial_=True), AtomicCheckpointIO((Path(cfg.folder) / LAST).parent)
    try:
        trainer: pl.Trainer = make(
            logger=False, callbacks=[*callbacks, KeepEvaluation(), ResumeInSamples(), *resumption], plugins=plugin
        )
    except (ValueError, TypeError) as error:
        raise UserError(f"trainer: {' '.join(str(error).split())}") from error
    return trainer


def _averages(callback: pl.Callback) -> bool:
    """Whether a callback exchanges the weights for averaged ones at validations, which the others then meet."""
    return isinstance(callback, WeightAveraging)


def resolve_length(cfg: DictConfig, words: Sequence[str]) -> None:
    """Give max_steps of the command line precedence over max_epochs of the configuration and of a resumed run."""
    words = words if cfg.resume is None else command_words() or ()
    named = {word.partition("=")[0].lstrip("+") for word in words}
    for name in ("max_steps", "max_epochs"):
        if not isinstance(cfg.trainer.get(name), int | None):
            raise UserError(f"trainer.{name}={cfg.trainer[name]} is not a whole number")
    if "trainer.max_steps" in named and "trainer.max_epochs" not in named and cfg.trainer.max_steps > 0:
        cfg.trainer.max_epochs = -1
    elif cfg.resume is not None and "trainer.max_epochs" in named and "trainer.max_steps" not in named:
        cfg.trainer.max_steps = -1


def starting_weights(cfg: DictConfig, words: Sequence[str] = ()) -> dict[str, Any] | None:
    """Copy network, preprocessing and classes of ``cfg.checkpoint`` into cfg; return its weights, None without one.

    Bin, crop and beam centre of the command line hold instead of the checkpoint's: patterns of another detector have
    other pixels. Not of a resumed run, whose settings hold them.

    Args:
        cfg: Settings of the training, changed in place.
        words: Overrides of the command line.
    """
    if cfg.checkpoint is None or cfg.resume is not None:
        return None
    target = cfg.task._target_
    names = {word.partition("=")[0].lstrip("+") for word in words}
    keys = ("preprocess.bin", "preprocess.crop", "preprocess.beam_centre")
    own = {key: OmegaConf.select(cfg, key) for key in keys if key in names}
    stored, weights = read_start(cfg.checkpoint, target, getattr(get_class(target), "starts_from", (target,)))
    if cfg.get("member") is not None:
        stored, weights = member_of(stored, weights, cfg.member)
    for group in ("network", "preprocess"):
        if group in stored:
            OmegaConf.update(cfg, group, stored[group], merge=False, force_add=True)
    if OmegaConf.select(cfg, "preprocess.beam_centre") is not None:
        cfg.preprocess.beam_centre = None  # it was that of other frames
    for key, value in own.items():
        OmegaConf.update(cfg, key, value, force_add=True)
    if "classes" in stored:
        cfg.task.classes = stored["classes"]
    return weights
