"""Checkpoints between validations, so that a killed run loses little."""

from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ModelCheckpoint


class SaveOften(ModelCheckpoint):
    """Checkpoint every few steps, but not at a step that is followed by a validation, which saves anyway.

    A run resumed between the two would skip that validation: Lightning counts the epoch as finished.
    """

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save if a checkpoint is due and no validation follows."""
        fetcher = trainer.fit_loop._data_fetcher
        if fetcher is None or not trainer.fit_loop.epoch_loop._should_check_val_fx(fetcher):
            super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)
