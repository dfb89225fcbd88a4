"""Train a task: the recipe behind train.py."""

import os
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytorch_lightning as pl
import torch
from hydra.utils import get_class, instantiate
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.loggers import Logger
from rich.table import Table

from spi_lightning.apps.configuration.fitting_parts import check_parts
from spi_lightning.apps.configuration.resolved import escaped
from spi_lightning.apps.configuration.resume import Resumed, all_words, command_words, resumed_settings, state_that_fits
from spi_lightning.apps.configuration.signatures import with_defaults
from spi_lightning.apps.configuration.value_types import check_types
from spi_lightning.apps.process.entry import one_line
from spi_lightning.apps.process.job_folder import alone
from spi_lightning.callbacks import DecideAtValidation, ResumeInSamples, SaveConfig, SeedEveryStep, StopDivergence
from spi_lightning.callbacks.decide_at_validation import stopped_early
from spi_lightning.console import Terminal
from spi_lightning.data import PatternBatches
from spi_lightning.errors import UserError
from spi_lightning.files import atomic_write, remove_empty, remove_stale_parts, write_json, write_text
from spi_lightning.reports import write_training_figures
from spi_lightning.tasks import find_checkpoint, read_checkpoint
from spi_lightning.tasks.checkpoint import BEST, LAST, load_weights
from spi_lightning.tasks.registry import trust
from spi_lightning.tracking import (
    CONFIG,
    LOG,
    METRICS,
    VERSIONS,
    AtomicCheckpointIO,
    Tracking,
    clear_earlier,
    require_free,
    versions,
)


@alone
def train(cfg: DictConfig) -> float:
    """Train what a configuration describes, evaluate its best checkpoint and leave everything in the run folder.

    Args:
        cfg: conf/train.yaml and what was laid over it. With ``checkpoint`` set, network, preprocessing and classes are
            those of the checkpoint, whatever else is said of them; with ``resume``, see apps.resume.

    Returns:
        The number named by ``cfg.objective``, of the best checkpoint.

    Raises:
        UserError: A mistake in settings, files or checkpoints.

    A task keeps the numbers of its last validation and test in ``results`` and names those to print in ``shown``.
    """
    trust(cfg.trust)
    words, cfg = all_words(cfg), resumed_settings(cfg)
    settle_length(cfg, words)
    start, resumed = starting_weights(cfg), Resumed.of(cfg.resume)
    check_parts(cfg)
    check_types(cfg, "train")
    require_rate(cfg.get("optimizer", {}).get("lr"))
    folder, loggers, config = Path(cfg.folder), cast(list[Logger], []), resolved(cfg)
    pl.seed_everything(cfg.seed, workers=True, verbose=False)
    tracking, data, task = (instantiate(part, _convert_="all") for part in (cfg.tracking, cfg.data, cfg.task))
    if start is not None:
        load_weights(task, start, f"checkpoint={cfg.checkpoint}: its weights do not fit this network")
    chosen = filter(None, instantiate(cfg.callbacks).values())
    callbacks = [StopDivergence(), DecideAtValidation(), *chosen, SaveConfig(config), SeedEveryStep(cfg.seed)]
    trainer = make_trainer(cfg.trainer, [*callbacks, ResumeInSamples()], folder)
    if isinstance(data, PatternBatches):  # which knows its place in an epoch
        data.limit, trainer.limit_train_batches = trainer.limit_train_batches, 1.0
    with as_it_was_after_a_mistake(folder, trainer, tracking, loggers):
        record(cfg, words)
        remove_stale_parts(folder)
        if resumed:
            resumed.take_along(folder)
        steps, last = (resumed.steps, resumed.epoch_row) if resumed else (None, None)
        loggers += tracking.loggers(folder, cfg.name, config, steps, last)
        trainer.loggers = loggers
        began = time.perf_counter()
        with state_that_fits(resumed):
            trainer.fit(task, data, ckpt_path=resumed.path if resumed else None, weights_only=True)
    numbers = {"train/seconds": time.perf_counter() - began, "train/steps": trainer.global_step}
    stopped = stopped_by(cfg.trainer, trainer, resumed)  # now: with the best checkpoint its callbacks come back, too
    numbers |= evaluate_best(trainer, task, data, folder)
    if trainer.is_global_zero:
        write_json(folder / METRICS, numbers)
        write_training_figures(folder)
        tracking.finish(loggers, numbers, folder / BEST)
        show(numbers, task, folder, stopped)
    if cfg.objective not in numbers:
        raise UserError(f"objective={cfg.objective} was not measured; there are {', '.join(sorted(numbers))}.")
    return float(numbers[cfg.objective])


@contextmanager
def as_it_was_after_a_mistake(
    folder: Path, trainer: pl.Trainer, tracking: Tracking, loggers: list[Logger]
) -> Iterator[None]:
    """Leave a run folder as it was, byte for byte, where a user's mistake ends a command before it saved anything."""
    kept = {
        path: path.read_bytes() if path.is_file() else None for path in map(folder.joinpath, (CONFIG, VERSIONS, LOG))
    }
    best = (folder / BEST).is_file()
    try:
        yield
    except Exception as error:
        if one_line(error) is None or not trainer.is_global_zero or trainer.strategy.checkpoint_io.saved:  # type: ignore[attr-defined]
            raise
        tracking.discard(loggers)
        for path, content in kept.items():
            if content is None:
                path.unlink(missing_ok=True)
            else:
                with atomic_write(path) as part:
                    part.write_bytes(content)
        if not best:  # else one that was taken along
            (folder / BEST).unlink(missing_ok=True)
            remove_empty([(folder / BEST).parent])
        raise


def make_trainer(settings: DictConfig, callbacks: list[pl.Callback], folder: Path) -> pl.Trainer:
    """Lightning's trainer, without its loggers; UserError for settings that it refuses."""
    make, plugin = instantiate(settings, _partial_=True), AtomicCheckpointIO((folder / LAST).parent)
    try:
        trainer: pl.Trainer = make(logger=False, callbacks=callbacks, plugins=plugin)
    except (ValueError, TypeError) as error:
        raise UserError(f"trainer: {' '.join(str(error).split())}") from error
    return trainer


def require_rate(rate: object) -> None:
    """UserError for a learning rate that no optimiser takes: negative, NaN, or beyond single precision."""
    if isinstance(rate, int | float) and not 0 <= rate < torch.finfo(torch.float32).max:
        raise UserError(f"optimizer.lr={rate:g}: is no learning rate; give a number above 0, such as 1e-3")


def settle_length(cfg: DictConfig, words: Sequence[str]) -> None:
    """Let steps that the command line names win over epochs that it does not name, and of a resumed run either."""
    words = words if cfg.resume is None else command_words() or ()
    named = {word.partition("=")[0].lstrip("+") for word in words}
    for name in ("max_steps", "max_epochs"):
        if not isinstance(cfg.trainer.get(name), int | None):
            raise UserError(f"trainer.{name}={cfg.trainer[name]} is no whole number.")
    if "trainer.max_steps" in named and "trainer.max_epochs" not in named and cfg.trainer.max_steps > 0:
        cfg.trainer.max_epochs = -1
    elif cfg.resume is not None and "trainer.max_epochs" in named and "trainer.max_steps" not in named:
        cfg.trainer.max_steps = -1


def starting_weights(cfg: DictConfig) -> dict[str, Any] | None:
    """Take network, preprocessing and classes of ``cfg.checkpoint`` into cfg; give its weights, None without one.

    A resumed run has them already.
    """
    if cfg.checkpoint is None or cfg.resume is not None:
        return None
    path = find_checkpoint(cfg.checkpoint)
    checkpoint = read_checkpoint(path)
    stored = (checkpoint["config"] or {}).get("task")
    stored = stored if isinstance(stored, dict) else {}
    begins_with = getattr(get_class(cfg.task._target_), "starts_from", (cfg.task._target_,))
    if stored.get("_target_") not in begins_with:
        raise UserError(
            f"checkpoint={path}: a checkpoint of {stored.get('_target_')}; {cfg.task._target_} starts from one of "
            f"{' or '.join(begins_with)} (resume=RUN goes on with a run)."
        )
    for group in ("network", "preprocess"):
        if group in stored:
            OmegaConf.update(cfg, group, stored[group], merge=False, force_add=True)
    if "classes" in stored:
        cfg.task.classes = stored["classes"]
    return cast(dict[str, Any], checkpoint["state_dict"])


def resolved(cfg: DictConfig) -> dict[str, Any]:
    """A configuration as plain containers, with the defaults of its parts: what a run did, whatever they become."""
    return cast(dict[str, Any], with_defaults(OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)))


def record(cfg: DictConfig, words: Sequence[str] | None = None) -> dict[str, Any]:
    """Write the resolved configuration and the versions into the run folder; give the former as plain containers.

    ``words`` are the overrides to write down, by default those of the command line. What an earlier evaluation or
    phasing has left in the folder of another one goes. Of several processes the first one writes.

    Raises:
        UserError: The folder is that of an earlier run, see tracking.require_free.
    """
    config, folder = resolved(cfg), Path(cfg.folder)
    if os.environ.get("LOCAL_RANK", "0") == "0":
        require_free(folder, config)
        clear_earlier(folder)
        command = (command_words() or []) if words is None else words
        write_text(folder / CONFIG, OmegaConf.to_yaml(escaped(config)))
        write_json(folder / VERSIONS, {"overrides": list(command), **versions()})
    return config


def evaluate_best(trainer: pl.Trainer, task: pl.LightningModule, data: PatternBatches, folder: Path) -> dict[str, Any]:
    """Validate and test the best checkpoint; all its numbers, confusions as lists."""
    best, trainer.loggers = folder / BEST, []  # the logs are of the training; these numbers go to metrics.json
    if not best.is_file():
        warnings.warn("the training ended before its first validation: its last weights count as best", stacklevel=2)
        trainer.save_checkpoint(best)
    trainer.validate(task, data, ckpt_path=best, weights_only=True, verbose=False)
    if data.patterns_in("test"):
        trainer.test(task, data, ckpt_path=best, weights_only=True, verbose=False)
    return dict(task.results)  # type: ignore[arg-type]


def stopped_by(asked: DictConfig, trainer: pl.Trainer, resumed: Resumed | None = None) -> str | None:
    """A line for a run that had nothing left to do, or that reached its epochs before the steps it was to have."""
    if resumed and trainer.global_step == resumed.optimiser_steps:
        if why := stopped_early(trainer):
            return f"nothing was trained: the run had stopped early, {why}; a larger patience lets it go on"
        limits = f"trainer.max_epochs={asked.max_epochs}, trainer.max_steps={asked.max_steps}"
        return f"nothing was trained: the run has its {trainer.global_step} steps ({limits}); name more of either"
    if not (asked.max_epochs or -1) > 0 or trainer.global_step >= asked.max_steps:
        return None
    return f"stopped after trainer.max_epochs={asked.max_epochs}, before trainer.max_steps={asked.max_steps}"


def show(numbers: dict[str, Any], task: pl.LightningModule, folder: Path, stopped: str | None = None) -> None:
    """Print a short table, what stopped the training if that may surprise, and where the run lies."""
    weights = sum(p.numel() for p in task.parameters())
    table = Table("", "validation", "test", title=f"{weights:,} weights, {numbers['train/steps']} steps")
    for name in task.shown:  # type: ignore[union-attr]
        values = [numbers.get(f"{stage}/{name}") for stage in ("val", "test")]
        if any(value is not None for value in values):
            table.add_row(name, *("-" if value is None else _short(value) for value in values))
    console = Terminal()
    console.print(table)
    if stopped:
        console.print(stopped, soft_wrap=True)
    console.print(f"run folder: {folder}", soft_wrap=True)


def _short(value: float) -> str:
    """Four digits; powers of ten where they would all be zeros."""
    if float(value).is_integer() and abs(value) >= 100:
        return f"{value:.0f}"  # a count
    return f"{value:.2e}" if 0 < abs(value) < 1e-3 else f"{value:.4f}"
