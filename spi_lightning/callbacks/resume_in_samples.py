"""Position within the epoch of a resumed run, counted in patterns."""

from typing import Any

import pytorch_lightning as pl

from spi_lightning.data import PatternBatches


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
