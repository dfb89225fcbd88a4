"""Checkpoints with the configuration of their run."""

from typing import Any

import pytorch_lightning as pl

import spi_lightning


class SaveConfig(pl.Callback):
    """Write the resolved configuration, as plain containers, into every checkpoint under ``config``.

    A task can then be rebuilt from that one file, loaded with weights_only=True. ``epoch_row`` holds the numbers of an
    epoch that ends with the checkpoint, which Lightning logs only after saving.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Add the configuration and the version of this package."""
        checkpoint["config"] = self.config
        checkpoint["spi_lightning_version"] = spi_lightning.__version__
        checkpoint["epoch_row"] = _epoch_row(trainer)


def _epoch_row(trainer: pl.Trainer) -> dict[str, float]:
    """Step, epoch and training numbers of an epoch whose last batch was trained on; empty in mid-epoch."""
    loop = trainer.fit_loop.epoch_loop
    if not loop.batch_progress.is_last_batch or not loop.val_loop._has_run:
        return {}
    logged = loop._results.metrics(on_step=False)["log"]
    row = {name: float(value) for name, value in logged.items()}
    return row and {"epoch": trainer.current_epoch, "step": loop._batches_that_stepped - 1, **row}
