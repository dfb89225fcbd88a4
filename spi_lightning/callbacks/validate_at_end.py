"""The last weights are validated, and so saved, too."""

from typing import Any

import pytorch_lightning as pl


class ValidateAtEnd(pl.Callback):
    """Asks for a validation after the last of ``max_steps``, wherever in an epoch that falls.

    Lightning validates when it is told to stop, but not when it runs out of steps; checkpoints are written, and the
    temperature is fitted, at validations.
    """

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Tell the trainer to stop at its last step."""
        if 0 < trainer.max_steps <= trainer.global_step:
            trainer.should_stop = True
