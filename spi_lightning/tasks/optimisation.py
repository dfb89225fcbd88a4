"""Optimiser and learning-rate schedule of a task, made for its weights and for the length of its training."""

import math
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Literal, cast

import pytorch_lightning as pl
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, OneCycleLR, ReduceLROnPlateau

from spi_lightning.errors import UserError
from spi_lightning.optimizers import Alternating
from spi_lightning.schedules import AlternateEvery

MakeOptimizer = Callable[[Iterable[nn.Parameter]], Optimizer]
MakeSchedule = Callable[[Optimizer], LRScheduler]
Interval = Literal["epoch", "step"]
MONITORED: Final = "val/loss"  # whose plateau a schedule may wait for
LENGTHS: Final[dict[Any, str]] = {CosineAnnealingLR: "T_max", OneCycleLR: "total_steps"}  # of schedules with an end


@dataclass(frozen=True)
class Optimisation:
    """Optimiser of a task with its schedule, if there is one.

    Attributes:
        optimizer: Optimiser over the weights of the task.
        schedule: Learning-rate schedule; None: constant.
        interval: Event that moves the schedule on, ``epoch`` or ``step``.
    """

    optimizer: Optimizer
    schedule: LRScheduler | None
    interval: Interval

    @classmethod
    def of(
        cls,
        make: tuple[MakeOptimizer, MakeSchedule | None],
        weights: Iterable[nn.Parameter],
        trainer: pl.Trainer | None,
        interval: Interval,
        steps: float | None = None,
    ) -> "Optimisation":
        """Make optimiser and schedule.

        Args:
            make: Makers of the optimiser and of the schedule.
            weights: Parameters that are trained.
            trainer: Lightning's trainer, for its numbers of steps and epochs; a task without a schedule needs none.
            interval: Event that moves the schedule on, unless its length says otherwise, see fitted_schedule.
            steps: Number of steps of the whole training, infinite for one without an end; None: the trainer's.

        Raises:
            UserError: A schedule that does not fit the training, or that leaves all work to the first of several
                optimisers.
        """
        make_optimizer, make_schedule = make
        optimizer, schedule = make_optimizer(weights), None
        if make_schedule is not None and trainer is not None:
            length = trainer.estimated_stepping_batches if steps is None else steps
            fitted, interval = fitted_schedule(make_schedule, length, trainer, interval)
            schedule = fitted(optimizer)
        members = optimizer.members if isinstance(optimizer, Alternating) else ()
        if len(members) > 1 and not isinstance(schedule, AlternateEvery):
            raise never_switches(len(members))
        return cls(optimizer, schedule, interval)

    def as_lightning(self) -> Any:
        """As configure_optimizers returns it; a plateau is waited for by callbacks.DecideAtValidation."""
        if self.schedule is None:
            return self.optimizer
        moved: dict[str, Any] = {"scheduler": self.schedule, "interval": self.interval}
        if isinstance(self.schedule, ReduceLROnPlateau):
            moved |= {"monitor": MONITORED, "frequency": sys.maxsize}
        return {"optimizer": self.optimizer, "lr_scheduler": moved}


def fitted_schedule(
    make: MakeSchedule, steps: float, trainer: pl.Trainer, interval: Interval
) -> tuple[MakeSchedule, Interval]:
    """Maker of a schedule that is as long as the training, and the event that moves the schedule on.

    A length that is missing, or is the trainer's, becomes ``steps``. Another one counts epochs if there are as many,
    else steps.

    Args:
        make: Maker of the schedule, a partial of its class.
        steps: Number of steps of the training.
        trainer: Lightning's trainer, for its numbers of steps and epochs.
        interval: Event that moves a schedule without an end, ``epoch`` or ``step``.

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


def never_switches(members: int) -> UserError:
    """Error for a list of optimisers under a schedule that uses only the first."""
    return UserError(
        f"optimizer: of {members} members only the first would work, this schedule never switches; "
        "add schedule=alternate_every, or name one optimiser"
    )
