"""Random numbers within a step (dropout) that depend on seed and step alone."""

from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch


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
        torch.manual_seed(int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> 1))
