"""Pruning of the trials of a search: each validation is reported, and one that is behind the others ends."""

import json
import os
from collections.abc import Mapping
from typing import Any, Final

import pytorch_lightning as pl
from pytorch_lightning.trainer.states import TrainerFn

from spi_lightning.errors import PrunedError, UserError

TRIAL: Final = "SPI_TRIAL"
"""Environment variable that names the trial of a job, see trial_in_words."""


def trial_in_words(storage: str, study: str, number: int) -> str:
    """Trial of a search as text.

    Args:
        storage: URL of the storage of its study.
        study: Name of the study.
        number: Number of the trial in it.
    """
    return json.dumps({"storage": storage, "study": study, "number": number})


class PruneTrial(pl.Callback):
    """Report a number to Optuna after each validation, and end the training where its pruner says so.

    Outside a search it does nothing. Numbers of trials are compared at the same optimiser step.

    Args:
        monitor: Name of the number, such as ``val/auroc``: the objective of the search.
        pruner: Name of a class of optuna.pruners.
        options: Arguments of that class, such as ``n_startup_trials``; steps are optimiser steps.

    Raises:
        UserError: There is no such pruner, or it does not take the options.
    """

    def __init__(self, monitor: str, pruner: str = "MedianPruner", options: Mapping[str, Any] | None = None) -> None:
        self.monitor, self.pruner, self.options = monitor, pruner, dict(options or {})
        self.trial: Any = None

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Find the trial in its storage, in the first process."""
        if stage == "fit" and self.trial is None and trainer.is_global_zero and (words := os.environ.get(TRIAL)):
            self.trial = self._find(**json.loads(words))

    def _find(self, storage: str, study: str, number: int) -> Any:
        import optuna

        make = getattr(optuna.pruners, self.pruner, None)
        if not (isinstance(make, type) and issubclass(make, optuna.pruners.BasePruner)):
            raise UserError(f"callbacks.prune.pruner={self.pruner}: optuna.pruners has no such class")
        try:
            pruner = make(**self.options)
        except (TypeError, ValueError) as error:
            raise UserError(f"callbacks.prune.options: {error}") from error
        loaded = optuna.load_study(study_name=study, storage=storage, pruner=pruner)
        return optuna.trial.Trial(loaded, loaded.trials[number]._trial_id)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Report the number; PrunedError in every process where the trial is behind the others."""
        value = trainer.callback_metrics.get(self.monitor)
        if TRIAL not in os.environ or value is None or trainer.sanity_checking or trainer.state.fn != TrainerFn.FITTING:
            return
        behind = False
        if self.trial is not None:
            self.trial.report(float(value), trainer.global_step)
            behind = self.trial.should_prune()
        if trainer.strategy.broadcast(behind):
            raise PrunedError(f"{self.monitor} {float(value):.4g} at step {trainer.global_step} is behind other trials")
