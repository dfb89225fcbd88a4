"""Steps of a training: random numbers that depend on seed and step alone, and a stop before NaN weights are written."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor

from spi_lightning.errors import UserError


class SeedEveryStep(pl.Callback):
    """Seed torch's generators before each training step from (seed, step, batch, process).

    The state of the generators then need not be stored: a run resumed anywhere draws the numbers of the uninterrupted
    run, in any process, whatever other code has drawn in between.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Seed the generators of the CPU and of all GPUs."""
        key = [self.seed, trainer.global_step, batch_idx, trainer.global_rank]
        torch.manual_seed(int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0]) >> 1)


_EVERY = 50  # steps between checks on a GPU or with several processes, where each check waits for all


class StopDivergence(pl.Callback):
    """Raise UserError if the training loss, a weight or the validation loss is NaN or infinite.

    The training loss is checked after every step, the weights before every validation, and the validation loss before
    the task reports it: all before a checkpoint is written. Tasks with manual optimisation (Refinement rolls its starts
    back) are not checked.
    """

    def __init__(self) -> None:
        self._wrong: Tensor | None = None

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Check the training loss."""
        loss = outputs.get("loss") if isinstance(outputs, Mapping) else outputs
        if not pl_module.automatic_optimization or not isinstance(loss, Tensor):
            return
        wrong = ~torch.isfinite(loss.detach()).all()
        self._wrong = wrong if self._wrong is None else self._wrong | wrong
        alone = trainer.world_size == 1 and loss.device.type == "cpu"
        if alone or batch_idx % _EVERY == _EVERY - 1:
            self._require(trainer, bool(self._wrong), "the training loss")

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Check the training loss and all weights."""
        if not pl_module.automatic_optimization:
            return
        self._require(trainer, self._wrong is not None and bool(self._wrong), "the training loss")
        fine = [torch.isfinite(weight.detach()).all() for weight in pl_module.parameters()]
        self._require(trainer, bool(fine) and not bool(torch.stack(fine).all()), "a weight")

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Check the validation loss; the hook of the task comes later."""
        losses = getattr(pl_module, "losses", None)
        if pl_module.automatic_optimization and isinstance(losses, torch.nn.ModuleDict) and "val" in losses:
            mean = losses["val"].compute()  # type: ignore[operator]
            self._require(trainer, not bool(torch.isfinite(mean).all()), "the validation loss")

    def _require(self, trainer: pl.Trainer, wrong: bool, what: str) -> None:
        """Raise UserError in all processes if one finds ``what`` wrong, so that no process is left waiting."""
        if trainer.strategy.reduce_boolean_decision(wrong, all=False):
            raise UserError(
                f"step {trainer.global_step}: {what} is NaN or infinite, the training diverged; lower optimizer.lr"
            )
