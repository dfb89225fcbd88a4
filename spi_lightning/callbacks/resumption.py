"""State of a run that is resumed under changed settings: what of its checkpoint still fits, and what begins anew."""

import logging
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import WeightAveraging
from torch import Tensor, nn
from torch.optim import LBFGS, Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau

from spi_lightning.optimizers import Alternating
from spi_lightning.settings import differences, with_defaults, word_of
from spi_lightning.settings.differences import ABSENT
from spi_lightning.tasks.optimisation import LENGTHS, MakeOptimizer
from spi_lightning.tracking.checkpoint_io import without_best

_LOADING: Final = ("batch_size", "num_workers", "cache_dir", "online", "augment")  # data settings, not of validations
_NOTED: Final = ("task", "data", "seed")  # settings whose changes are noted
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Changes:
    """Settings in which a command differs from the run that it resumes.

    Attributes:
        found: Full name, old and new value of each.
    """

    found: tuple[tuple[str, Any, Any], ...] = ()

    @classmethod
    def of(cls, before: Mapping[str, Any], after: Mapping[str, Any]) -> "Changes":
        """Changes between two configurations of a training, plain containers."""
        old, new = ({group: with_defaults(each.get(group, ABSENT)) for group in _NOTED} for each in (before, after))
        return cls(tuple(each for each in differences(old, new) if not each[0].endswith(".cache_dir")))

    def within(self, *groups: str) -> list[str]:
        """Words for the changes of groups, such as ``task.optimizer``."""
        return [
            f"{key.removeprefix('task.')} was {word_of(old)}, is {word_of(new)}"
            for key, old, new in self.found
            if any(f"{key}.".startswith(f"{group}.") for group in groups)
        ]

    @property
    def words(self) -> list[str]:
        """Words for all changes."""
        return self.within(*_NOTED)

    @property
    def of_validation(self) -> list[str]:
        """Words for the changes after which a validation loss does not compare with earlier ones."""
        loading = tuple(f"data.{name} was" for name in _LOADING)
        changed = self.within("task.loss", "task.preprocess", "task.metrics", "data")
        return [each for each in changed if not each.startswith(loading)]


class ResumeWithChanges(pl.Callback):
    """Fit the state in a checkpoint to the settings of the command that resumes its run, and log what begins anew.

    Changed settings of optimiser and schedule replace the stored ones: the moments of an optimiser of the same class
    are kept, the schedule is made anew and moved on to where the run stands. The same is done for a schedule as long as
    the training where that length has changed. Preprocessing that has changed is fitted anew, and with another
    loss or other data the best checkpoint and early stops count from here on. Without weight averaging, a run that had
    it goes on with its trained weights.

    Args:
        changes: Settings in which the command differs from the run.
        before: Maker of the run's optimiser; None: that of the task.
    """

    def __init__(self, changes: Changes, before: MakeOptimizer | None = None) -> None:
        self.changes, self.before = changes, before
        self._checkpoint: dict[str, Any] | None = None
        self._preprocess: dict[str, Any] | None = None

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Keep the state of preprocessing that has not been fitted, and log the changes."""
        part = getattr(pl_module, "preprocess", None)
        if stage == "fit" and isinstance(part, nn.Module) and self.changes.within("task.preprocess"):
            self._preprocess = {name: value.clone() for name, value in part.state_dict().items()}

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Fit the state of weights, preprocessing, best checkpoint and early stops to the settings."""
        if trainer.state.fn != "fit":
            return
        self._checkpoint, schedule = checkpoint, getattr(pl_module, "make_schedule", None)
        changed = self.changes.within("task.schedule")
        if schedule and not changed and not checkpoint.get("lr_schedulers"):
            raise ValueError("it holds no state of the schedule")
        if trainer.is_global_zero and self.changes.found:
            _log.info("resumed with changes: %s", "; ".join(self.changes.within(*_NOTED)))
        if self._preprocess is not None:
            pl_module.preprocess.load_state_dict(self._preprocess)  # type: ignore[union-attr]
            self._note(trainer, "preprocess has changed and is fitted anew; the weights were trained on other input")
        averages = any(isinstance(each, WeightAveraging) for each in trainer.callbacks)  # type: ignore[attr-defined]
        if "current_model_state" in checkpoint and not averages:
            pl_module.load_state_dict(checkpoint["current_model_state"])
            self._note(trainer, "weights are not averaged any more: training goes on from the last ones, not averaged")
        if self.changes.of_validation:
            checkpoint["callbacks"] = without_best(checkpoint["callbacks"])
            self._note(
                trainer,
                "loss or data have changed, validations do not compare with earlier ones: best.ckpt and early stops "
                "count from here on",
            )

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Put the state of optimiser and schedule that fits the settings into the checkpoint, before it is restored."""
        checkpoint, configs = self._checkpoint, trainer.lr_scheduler_configs
        if checkpoint is None or len(trainer.optimizers) != 1:
            return
        stored = checkpoint.get("lr_schedulers") or []
        lengths = [_length_changed(each.scheduler, state) for each, state in zip(configs, stored, strict=False)]
        schedule = self.changes.within("task.schedule", "task.interval", "task.epochs") + list(filter(None, lengths))
        if not schedule and not self.changes.within("task.optimizer"):
            return
        if trainer.is_global_zero and any(lengths):
            _log.info("%s: the schedule is as long as the training from here on", "; ".join(filter(None, lengths)))
        for config, state in zip(configs, [*stored, *[None] * len(configs)], strict=False):
            if not isinstance(config.scheduler, ReduceLROnPlateau):
                _move_on(config.scheduler, _done(checkpoint, config.interval) // config.frequency)
            elif state and not schedule:
                config.scheduler.load_state_dict(state)
        (optimizer,), (old, *_) = trainer.optimizers, checkpoint["optimizer_states"]
        state = optimizer.state_dict()
        kept = self._same_kind(pl_module) and _fits(optimizer, old)
        checkpoint["optimizer_states"] = [_with_moments(state, old) if kept else state]
        checkpoint["lr_schedulers"] = [config.scheduler.state_dict() for config in configs]
        if not kept:
            self._note(trainer, f"optimizer: {type(optimizer).__name__} starts without the state of the one before")

    def _same_kind(self, pl_module: pl.LightningModule) -> bool:
        """Whether the optimisers of run and command are of one class, with the same numbers for each weight."""
        return self.before is None or _kind(self.before) == _kind(cast(MakeOptimizer, pl_module.make_optimizer))

    def _note(self, trainer: pl.Trainer, text: str) -> None:
        if trainer.is_global_zero:
            _log.warning("WARNING: %s", text)


def _length_changed(schedule: Any, stored: Mapping[str, Any]) -> str | None:
    """Words for the length of a schedule that ends, where it is not the stored one."""
    name = LENGTHS.get(type(schedule), "")
    old, new = stored.get(name), getattr(schedule, name, None)
    return None if not name or old == new else f"schedule.{name} was {old}, is {new}"


def _done(checkpoint: Mapping[str, Any], interval: str) -> int:
    """Number of steps or epochs after which a schedule stands: of a refinement its own epochs."""
    if (refiner := checkpoint.get("refiner")) is not None:
        return int(refiner.get("epoch", 0))
    loop = checkpoint["loops"]["fit_loop"]
    if interval == "step":
        return int(checkpoint["global_step"])
    return int(loop["epoch_progress"]["current"]["completed"]) + bool(
        loop["epoch_loop.batch_progress"]["is_last_batch"]
    )


def _move_on(schedule: Any, count: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch: that the optimiser has not moved
        for _ in range(count):
            schedule.step()


def _kind(make: MakeOptimizer) -> list[tuple[type[Optimizer], frozenset[str]]]:
    """Class of an optimiser, or of each of its members, and the names of the numbers that it keeps for a weight."""
    weight = nn.Parameter(torch.zeros(1, 1, 1))
    weight.grad = torch.zeros_like(weight)
    optimizer = make([weight])
    members = optimizer.members if isinstance(optimizer, Alternating) else [optimizer]
    for member in members:
        if not isinstance(member, LBFGS):
            cast(Callable[[], Any], member.step)()
    return [(type(optimizer), frozenset()), *((type(member), frozenset(member.state[weight])) for member in members)]


def _fits(optimizer: Optimizer, stored: Mapping[str, Any]) -> bool:
    """Whether the stored numbers for each weight have the shapes of this optimiser's weights."""
    groups = [len(group["params"]) for group in optimizer.param_groups]
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    states = [each["state"] for each in (stored, *stored.get("members", ()))]
    return groups == [len(group["params"]) for group in stored["param_groups"]] and all(
        not isinstance(value, Tensor) or value.ndim == 0 or value.shape == weights[int(number)].shape
        for state in states
        for number, numbers in state.items()
        for value in numbers.values()
    )


def _with_moments(state: dict[str, Any], stored: Mapping[str, Any]) -> dict[str, Any]:
    """State of an optimiser with the stored numbers for each weight, and its own settings."""
    members = zip(state.get("members", ()), stored.get("members", ()), strict=True)
    own = {"members": [{**new, "state": old["state"]} for new, old in members]} if "members" in state else {}
    return {**state, "state": stored["state"], **own}
