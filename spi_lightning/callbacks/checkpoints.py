"""Checkpoints of a run: written often, with its configuration, and resumed within an epoch."""

from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ModelCheckpoint

import spi_lightning
from spi_lightning.data import PatternBatches


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


class ResumeInSamples(pl.Callback):
    """Set Lightning's progress in the current epoch to that of the data, in batches of the current size.

    Lightning ends an epoch after a number of batches; with another batch size it would be too long or too short, or end
    at once without its validation. Lightning counts an epoch in which ``max_steps`` was reached as complete; here it
    continues.
    """

    def __init__(self) -> None:
        self._trained: int | None = None  # batches, when the checkpoint was saved

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Set the progress of the current epoch and, in mid-epoch, the number of completed epochs."""
        data, loop = trainer.datamodule, checkpoint.get("loops", {}).get("fit_loop")  # type: ignore[attr-defined]
        if not (trainer.training and loop and isinstance(data, PatternBatches) and data.patterns_in("train")):
            return
        epoch, done, batches = data.progress()
        if done >= batches and checkpoint.get("epoch_row"):  # it has been validated
            epoch, done = epoch + 1, 0
        progress = loop["epoch_loop.batch_progress"]
        self._trained = progress["total"]["ready"]
        shift = done - progress["current"]["ready"]
        progress["current"] = {name: max(0, count + shift) for name, count in progress["current"].items()}
        if done < batches:
            progress["is_last_batch"] = False
            begun = epoch + (done > 0)
            for count in (loop["epoch_progress"]["current"], loop["epoch_progress"]["total"]):
                count.update(ready=begun, started=begun, processed=epoch, completed=epoch)

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Number the first step after those that were trained: Lightning's count depends on where it had saved."""
        if self._trained is not None and trainer.accumulate_grad_batches == 1:
            trainer.fit_loop.epoch_loop._batches_that_stepped = self._trained
        self._trained = None
