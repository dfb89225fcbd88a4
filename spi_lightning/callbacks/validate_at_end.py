"""Validation, and so a checkpoint, of the final weights."""

from typing import Any

import pytorch_lightning as pl


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
