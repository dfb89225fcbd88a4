"""Callbacks of validation: recalibrated batch normalisation, early stopping, plateaus, a validation at the end."""

from itertools import islice
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EarlyStopping
from pytorch_lightning.callbacks.early_stopping import EarlyStoppingReason
from pytorch_lightning.trainer.states import TrainerFn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.lr_scheduler import ReduceLROnPlateau

from spi_lightning.tasks.optimisation import MONITORED


class RecalibrateBatchNorm(pl.Callback):
    """Recalibrate the running statistics on training patterns before each validation of a fit.

    Dropout in front of a batch normalisation changes the variance that reaches it, so the statistics gathered in
    training do not fit the network in evaluation, whose predictions then vary from seed to seed. Training does not use
    them, so nothing else changes; checkpoints hold the recalibrated ones.

    Args:
        batches: Number of training batches to use, the first ones, not mirrored.

    Source: Li et al. (2019), "Understanding the disharmony between dropout and batch normalization by variance shift".
    """

    def __init__(self, batches: int = 24) -> None:
        self.batches = batches

    @torch.no_grad()
    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Reset the statistics and gather them from training batches, of averaged weights where there are any."""
        norms = [module for module in pl_module.modules() if isinstance(module, _BatchNorm)]
        if trainer.state.fn != TrainerFn.FITTING or not norms:
            return
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # the plain mean over batches
            norm.train()
        processes = trainer.world_size
        for batch in islice(trainer.datamodule.statistics_batches(), self.batches):  # type: ignore[attr-defined]
            whole = len(next(iter(batch.values()))) // processes * processes  # each process takes an equal share
            share = {name: values[trainer.global_rank : whole : processes] for name, values in batch.items()}
            pl_module({name: values.to(pl_module.device) for name, values in share.items()})
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
            norm.eval()


class DecideAtValidation(pl.Callback):
    """Decide early stopping and learning-rate plateaus at each validation, not at the end of the epoch.

    Lightning decides both after the checkpoint is written, from numbers that no checkpoint holds: a run resumed from
    it would miss the decision or find no number to decide by. A run that has stopped early stays so when it is resumed,
    unless the command raises its patience.
    """

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Let this callback run the early stops at validations."""
        for stop in _early_stops(trainer):
            if stop.monitor.startswith("val/"):
                stop._check_on_train_epoch_end = False

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Keep the patience of the settings; Lightning takes the checkpoint's."""
        for stop in _early_stops(trainer):
            state = dict(checkpoint["callbacks"]).get(stop.state_key)
            if isinstance(state, dict):
                state["patience"] = stop.patience

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """End a run that had stopped early."""
        trainer.should_stop = trainer.should_stop or stopped_early(trainer) is not None

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Step the schedules that react to a plateau of the validation loss."""
        loss = trainer.callback_metrics.get(MONITORED)
        for config in trainer.lr_scheduler_configs if trainer.state.fn == "fit" and not trainer.sanity_checking else ():
            if isinstance(config.scheduler, ReduceLROnPlateau) and loss is not None:
                config.scheduler.step(loss)


def stopped_early(trainer: pl.Trainer) -> str | None:
    """Reason that ended a training before its steps and epochs; None without one."""
    for stop in _early_stops(trainer):
        if stop.stopping_reason == EarlyStoppingReason.PATIENCE_EXHAUSTED and stop.wait_count >= stop.patience:
            return f"{stop.monitor} did not improve in {stop.wait_count} validations in a row, patience={stop.patience}"
    return None


def ended_before(
    trainer: pl.Trainer, max_epochs: int | None, max_steps: int | None, resumed_at: int | None = None
) -> str | None:
    """Note on a training that did no step, or that max_epochs ended before max_steps; None otherwise.

    Args:
        trainer: Trainer whose fit is over.
        max_epochs: Most epochs, as the settings say; -1 or None: no limit.
        max_steps: Most optimiser steps, as the settings say.
        resumed_at: Optimiser steps that a resumed run had done before.
    """
    if trainer.global_step == resumed_at:
        if why := stopped_early(trainer):
            return f"nothing was trained: the run had stopped early, {why}; a larger patience lets it go on"
        limits = f"trainer.max_epochs={max_epochs}, trainer.max_steps={max_steps}"
        return f"nothing was trained: the run has its {trainer.global_step} steps ({limits}); name more of either"
    if not (max_epochs or -1) > 0 or trainer.global_step >= (max_steps or -1):
        return None
    return f"stopped after trainer.max_epochs={max_epochs}, before trainer.max_steps={max_steps}"


def _early_stops(trainer: pl.Trainer) -> list[EarlyStopping]:
    return [each for each in trainer.callbacks if isinstance(each, EarlyStopping)]  # type: ignore[attr-defined]


class ValidateAtEnd(pl.Callback):
    """Validate after the last of ``max_steps``, wherever in an epoch that falls, or of ``max_epochs``.

    Lightning validates on a stop signal, but neither at max_steps nor after a last epoch without a scheduled
    validation; checkpoints are written, and the temperature is fitted, at validations.
    """

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Signal the trainer to stop at its last step."""
        if 0 < trainer.max_steps <= trainer.global_step:
            trainer.should_stop = True
        last = trainer.max_epochs is not None and 0 < trainer.max_epochs <= trainer.current_epoch + 1
        if last and trainer.is_last_batch:
            trainer.should_stop = True
