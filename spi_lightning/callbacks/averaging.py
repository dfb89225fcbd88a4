"""Averaged weights (EMA, SWA) beside what a validation determines: temperature, thresholds and batch statistics."""

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import WeightAveraging
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


class KeepEvaluation(pl.Callback):
    """Give averaged weights the buffers that belong to them, in trainings with a WeightAveraging callback of Lightning.

    That callback averages buffers over the steps, with the shapes of before the training: preprocessing fitted to the
    training patterns did not fit, and a temperature or threshold determined at a validation of the averaged weights
    was written into the checkpoint as the mean over earlier ones. Here both are copied as they are. Statistics of batch
    normalisations are averaged, or recalibrated, see RecalibrateBatchNorm.
    """

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Copy what was fitted before the first step."""
        self._copy(trainer, pl_module)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Copy what the validation has determined, before checkpoints are written."""
        self._copy(trainer, pl_module)

    def _copy(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        for each in trainer.callbacks:  # type: ignore[attr-defined]
            if isinstance(each, WeightAveraging) and each._average_model is not None:
                averaged: nn.Module = each._average_model.module
                parts = dict(averaged.named_modules())
                for name, part in pl_module.named_modules():
                    if name in parts and not isinstance(part, _BatchNorm):
                        for key, buffer in part._buffers.items():
                            parts[name]._buffers[key] = _copied(parts[name]._buffers[key], buffer)


def _copied(old: Tensor | None, new: Tensor | None) -> Tensor | None:
    """The old tensor with the values of the new one, or another tensor where their shapes differ."""
    if new is None:
        return None
    if old is None or old.shape != new.shape:
        with torch.inference_mode(False):  # validations run under it, whose tensors training cannot change
            old = torch.empty_like(new)
    return old.copy_(new.detach())
