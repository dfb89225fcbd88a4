"""Recalibration of batch-normalisation statistics without dropout, before validations."""

from itertools import islice

import pytorch_lightning as pl
import torch
from pytorch_lightning.trainer.states import TrainerFn
from torch.nn.modules.batchnorm import _BatchNorm


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
    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Reset the statistics and gather them from training batches."""
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
