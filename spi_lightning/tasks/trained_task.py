"""Bases of the tasks that are trained, also from pattern to image: optimiser, loss, numbers of an evaluation."""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import pytorch_lightning as pl
from torch import Tensor, nn
from torch.optim import LBFGS
from torchmetrics import MeanMetric

from spi_lightning.errors import UserError
from spi_lightning.fields import DENSITY, Batch
from spi_lightning.metrics import PatternMean

from .foreign_part import errors_of
from .optimisation import Interval, MakeOptimizer, MakeSchedule, Optimisation


class TrainedTask(pl.LightningModule):
    """Base of tasks whose network is trained on batches; subclasses define the steps.

    Args:
        network: Network whose weights are trained.
        optimizer: Maker of the optimiser over the network's parameters.
        schedule: Maker of the optimiser's learning-rate schedule; None: constant.
        interval: Event that moves the schedule on: ``epoch`` or ``step``. A cosine or a cycle as long as the training
            is moved on every step, one that waits for a plateau of the validation loss at each validation.
    """

    def __init__(
        self,
        network: nn.Module,
        optimizer: MakeOptimizer,
        schedule: MakeSchedule | None = None,
        interval: Interval = "epoch",
    ) -> None:
        super().__init__()
        if interval not in ("epoch", "step"):
            raise UserError(f"task.interval={interval} is unknown: choose epoch or step")
        self.network, self.interval = network, interval
        self.make_optimizer, self.make_schedule = optimizer, schedule
        self.train_loss = MeanMetric(nan_strategy="disable")
        self.train_loss.persistent(True)  # so that the mean of an epoch survives a resume in its middle
        self.losses = nn.ModuleDict({stage: PatternMean() for stage in ("val", "test")})
        self.results: dict[str, Any] = {}

    def count_loss(self, losses: Tensor, batch_idx: int) -> Tensor:
        """Mean of the losses (B,) of a training batch, or of one number, which also enters the mean of the epoch.

        Raises:
            UserError: There are several numbers for a pattern, as where logits and labels were broadcast.
        """
        if losses.ndim > 1 and losses.numel() > len(losses):
            raise UserError(f"loss: gave numbers of shape {tuple(losses.shape)}; give one for each pattern, (B,)")
        if batch_idx == 0:  # not at the start of the epoch, by which a run resumed at its very end does not come
            self.train_loss.reset()
        loss = losses.mean()
        self.train_loss.update(loss.detach())
        return loss

    def configure_optimizers(self) -> Any:
        """The optimiser, and the schedule if there is one, both made for this network's weights."""
        makers, trainer = (self.make_optimizer, self.make_schedule), self.trainer if self.make_schedule else None
        made = Optimisation.of(makers, self.network.parameters(), trainer, self.interval)
        if isinstance(made.optimizer, LBFGS) and self.trainer.world_size > 1:  # each would search a line of its own
            raise UserError("optimizer: L-BFGS takes its steps in one process: set trainer=cpu or trainer=gpu")
        return made.as_lightning()

    def on_fit_start(self) -> None:
        """Raise UserError if there is nothing to validate on: the best checkpoint is chosen by it."""
        if self.trainer.limit_val_batches and not self.trainer.datamodule.patterns_in("val"):  # type: ignore[attr-defined]
            raise UserError("the validation split is empty: raise val in data.patterns or data.fractions")

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Raise ValueError if the checkpoint of a resumed run has no state of its optimiser."""
        if self.trainer.state.fn == "fit" and self.automatic_optimization and not checkpoint.get("optimizer_states"):
            raise ValueError("it holds no state of the optimiser")

    def on_train_epoch_end(self) -> None:
        """Log the mean training loss of the epoch."""
        self.log("train/loss", self.train_loss.compute(), prog_bar=True)

    def report(self, stage: str, numbers: Mapping[str, Tensor]) -> None:
        """Log the numbers of a stage, ``val`` or ``test``, with its mean loss, and keep them in ``results``."""
        mean_loss = cast(PatternMean, self.losses[stage])
        numbers = {"loss": mean_loss.compute(), **numbers}
        mean_loss.reset()
        self.results |= {f"{stage}/{name}": value.tolist() for name, value in numbers.items()}
        self.log_dict({f"{stage}/{name}": value for name, value in numbers.items() if value.is_floating_point()})


def evaluate_best(
    trainer: pl.Trainer, task: pl.LightningModule, data: pl.LightningDataModule, best: Path
) -> dict[str, Any]:
    """Validate and test the best checkpoint of a training; all its numbers by stage and name, confusions as lists.

    Args:
        trainer: Trainer whose fit is over; its loggers are taken away, since the logs are of the training.
        task: Task with its numbers in ``results``.
        data: Data module; with no test patterns the test is left out.
        best: Checkpoint; written from the last weights where no validation has written one.
    """
    trainer.loggers = []
    if not best.is_file():
        warnings.warn("the training ended before its first validation: its last weights count as best", stacklevel=2)
        trainer.save_checkpoint(best)
    trainer.validate(task, data, ckpt_path=best, weights_only=True, verbose=False)
    if data.patterns_in("test"):  # type: ignore[attr-defined]
        trainer.test(task, data, ckpt_path=best, weights_only=True, verbose=False)
    return dict(task.results)  # type: ignore[arg-type]


PictureLoss = Callable[[Tensor, Tensor], Tensor]


class PatternTask(TrainedTask, ABC):
    """Base of tasks whose network maps a pattern to an image; subclasses define ``losses_of`` and the metrics.

    Args:
        network: Map from the network's input (B, C, H, W) to images (B, K, H, W).
        preprocess: Map from a batch to the input of the network.
        loss: Function of output and target, (..., H, W) each -> (...).
        optimizer, schedule, interval: Optimisation, as in TrainedTask.
    """

    def __init__(
        self,
        network: nn.Module,
        preprocess: nn.Module,
        loss: PictureLoss,
        optimizer: MakeOptimizer,
        schedule: MakeSchedule | None = None,
        interval: Interval = "epoch",
    ) -> None:
        super().__init__(network, optimizer, schedule, interval)
        self.preprocess, self.loss = preprocess, loss

    def forward(self, batch: Batch) -> Tensor:
        """Output of the network for a batch."""
        pattern = self.preprocess(batch)
        with errors_of("network", self.network, pattern):
            return cast(Tensor, self.network(pattern))

    def training_output(self, batch: Batch) -> Tensor:
        """Output of the network for a training batch; subclasses may add inputs."""
        return cast(Tensor, self(batch))

    @abstractmethod
    def losses_of(self, output: Tensor, batch: Batch) -> Tensor:
        """Loss of each pattern, (B,), from outputs (B, C, H, W)."""

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Mean loss of a batch."""
        return self.count_loss(self.losses_of(self.training_output(batch), batch), batch_idx)


def true_density(batch: Batch) -> Tensor:
    """Density (B, 1, H, W) of a batch.

    Raises:
        UserError: The file has no densities.
    """
    if DENSITY not in batch:
        raise UserError("data: these patterns come without their densities: nothing to train on or to compare with")
    return batch[DENSITY]
