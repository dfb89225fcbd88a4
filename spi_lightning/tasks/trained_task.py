"""What every task that is trained has in common: optimiser, schedule, training loss, and something to validate on."""

import math
import sys
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Literal, cast

import pytorch_lightning as pl
from torch import Tensor, nn
from torch.optim import LBFGS, Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, OneCycleLR, ReduceLROnPlateau
from torchmetrics import MeanMetric

from spi_lightning.errors import UserError
from spi_lightning.optimizers import Alternating
from spi_lightning.schedules import AlternateEvery

MakeOptimizer = Callable[[Iterable[nn.Parameter]], Optimizer]
MakeSchedule = Callable[[Optimizer], LRScheduler]
Interval = Literal["epoch", "step"]
MONITORED = "val/loss"  # what a plateau is of
LENGTHS: dict[Any, str] = {CosineAnnealingLR: "T_max", OneCycleLR: "total_steps"}  # schedules laid out for a training


class TrainedTask(pl.LightningModule):
    """Base of tasks whose network is trained on batches; subclasses define the steps.

    Args:
        network: Its weights are trained.
        optimizer: parameters -> optimiser.
        schedule: optimiser -> learning-rate schedule; constant if None.
        interval: What moves the schedule on: ``epoch`` or ``step``. A cosine or a cycle that is as long as the training
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
        self.network, self.interval, self.follows_training = network, interval, False
        self.make_optimizer, self.make_schedule = optimizer, schedule
        self.train_loss = MeanMetric(nan_strategy="disable")
        self.train_loss.persistent(True)  # so that the mean of an epoch survives a resume in its middle
        self.results: dict[str, Any] = {}

    def count_loss(self, losses: Tensor, batch_idx: int) -> Tensor:
        """Mean of the losses of a training batch, which also enters the mean of the epoch."""
        if batch_idx == 0:  # not at the start of the epoch, by which a run resumed at its very end does not come
            self.train_loss.reset()
        loss = losses.mean()
        self.train_loss.update(loss.detach())
        return loss

    def configure_optimizers(self) -> Any:
        """The optimiser, and the schedule if there is one, both made for this network's weights."""
        optimizer = self.make_optimizer(self.network.parameters())
        if isinstance(optimizer, LBFGS) and self.trainer.world_size > 1:  # each would search along a line of its own
            raise UserError("optimizer: L-BFGS takes its steps in one process: set trainer=cpu or trainer=gpu")
        if self.make_schedule is None:
            require_switching(optimizer, None)
            return optimizer
        steps = self.trainer.estimated_stepping_batches
        make, interval = fitted_schedule(self.make_schedule, steps, self.trainer, self.interval)
        self.follows_training, schedule = make is not self.make_schedule, make(optimizer)
        require_switching(optimizer, schedule)
        moved: dict[str, Any] = {"scheduler": schedule, "interval": interval}
        if isinstance(schedule, ReduceLROnPlateau):  # moved on at validations, see callbacks.DecideAtValidation
            moved |= {"monitor": MONITORED, "frequency": sys.maxsize}
        return {"optimizer": optimizer, "lr_scheduler": moved}

    def on_fit_start(self) -> None:
        """Raise UserError if there is nothing to validate on: the best checkpoint is chosen by it."""
        if self.trainer.limit_val_batches and not self.trainer.datamodule.patterns_in("val"):  # type: ignore[attr-defined]
            raise UserError("the validation split is empty: raise val in data.patterns or data.fractions.")

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Raise ValueError where a run that goes on would find no state of its optimiser or schedule and begin anew."""
        if self.trainer.state.fn != "fit" or not self.automatic_optimization:
            return
        if not checkpoint.get("optimizer_states") or (self.make_schedule and not checkpoint.get("lr_schedulers")):
            raise ValueError("it holds no state of the optimiser or of the schedule")

    def on_train_start(self) -> None:
        """Raise UserError if a resumed run is to go on beyond the end of a schedule that was as long as the run."""
        for config in self.trainer.lr_scheduler_configs:
            steps, name = self.trainer.estimated_stepping_batches, LENGTHS.get(type(config.scheduler), "")
            if self.follows_training and (length := getattr(config.scheduler, name, steps)) < steps:
                raise UserError(
                    f"schedule: that of the resumed run ends after {length} steps, and {steps} are to be done; "
                    "checkpoint=RUN starts a new run from its weights, with a schedule of its own"
                )

    def on_train_epoch_end(self) -> None:
        """Log the mean training loss of the epoch."""
        self.log("train/loss", self.train_loss.compute(), prog_bar=True)


def fitted_schedule(
    make: MakeSchedule, steps: float, trainer: pl.Trainer, interval: Interval
) -> tuple[MakeSchedule, Interval]:
    """The maker of a schedule that knows how long the training is, and what moves the schedule on.

    A length that is missing, or is the trainer's, becomes ``steps``, the number of steps of the training. Another one
    counts epochs if there are as many, else steps.

    Raises:
        UserError: A training without end, or a cycle that ends before the training does.
    """
    kind, options = getattr(make, "func", make), getattr(make, "keywords", {})
    name = LENGTHS.get(kind)
    if name is None:
        return make, interval
    length, epochs = options.get(name), trainer.max_epochs or -1
    if name == "total_steps" and length is None and options.get("epochs") and options.get("steps_per_epoch"):
        length = options["epochs"] * options["steps_per_epoch"]
    elif length is None or length <= 0 or length == trainer.max_steps or (kind is OneCycleLR and length == epochs):
        if not math.isfinite(steps):
            raise UserError("schedule: it ends with the training: give trainer.max_steps or trainer.max_epochs")
        return cast(MakeSchedule, partial(make, **{name: int(steps)})), "step"
    unit: Interval = "epoch" if interval == "epoch" and length <= epochs else "step"
    if kind is OneCycleLR and length < steps:
        raise UserError(
            f"schedule.{name}={length} ends before the training, which takes {steps} steps: leave it out, or "
            "give -1, and the cycle is as long as the training"
        )
    return make, unit


def require_switching(optimizer: Optimizer, schedule: LRScheduler | None) -> None:
    """Raise UserError if of several optimisers only the first would ever work."""
    if isinstance(optimizer, Alternating) and len(optimizer.members) > 1 and not isinstance(schedule, AlternateEvery):
        raise never_switches(len(optimizer.members))


def never_switches(members: int) -> UserError:
    """What to tell a user of several optimisers under a schedule that leaves the work to the first."""
    return UserError(
        f"optimizer: of {members} members only the first would work, this schedule never switches; "
        "add schedule=alternate_every, or name one optimiser"
    )
