"""Trained networks answer with supports; others heal a pattern before a method sees it."""

from collections.abc import Callable
from copy import copy
from pathlib import Path
from typing import Any, Self, cast

from spi_lightning.fields import INTENSITY, MASK, Batch, UserError
from spi_lightning.methods.checkpoint import find_device
from spi_lightning.methods.support_answer import BatchAnswers
from spi_lightning.tasks.checkpoint import find_checkpoint, load_task
from spi_lightning.tasks.healing import Healing
from spi_lightning.tasks.support_prediction import SupportPrediction


class SupportCheckpoint(BatchAnswers):
    """Answers of one checkpoint of a support prediction, at the threshold that its validation found.

    Args:
        name: Shown in tables.
        checkpoint: Run folder (its best checkpoint is taken) or .ckpt file.
        instantiate: Makes objects of configs with ``_target_``; hydra.utils.instantiate.
        device, batch_size: See BatchAnswers.

    Raises:
        UserError: No such run or checkpoint, or one of another task.
    """

    def __init__(
        self,
        name: str,
        checkpoint: str | Path,
        instantiate: Callable[..., Any],
        device: str = "auto",
        batch_size: int = 64,
    ) -> None:
        super().__init__(name, find_device(device), batch_size)
        self.path = find_checkpoint(checkpoint)
        task, self.config = load_task(self.path, instantiate, SupportPrediction)
        self.task = cast(SupportPrediction, task).to(self.device).eval()

    def supports_of(self, batch: Batch) -> Batch:
        """What the task predicts.

        Raises:
            UserError: The network cannot take patterns of this shape.
        """
        try:
            return self.task.predict_step(batch)
        except RuntimeError as error:
            if "memory" in str(error):
                raise
            height, width = batch[INTENSITY].shape[-2:]
            raise UserError(
                f"{self.name}: the network of {self.path} cannot take patterns of {height} x {width} pixels "
                f"({str(error).splitlines()[0]}); use a checkpoint trained at this size."
            ) from error


class Healed(BatchAnswers):
    """Patterns denoised and completed by one network, then answered by a method.

    Args:
        name: Shown in tables.
        healing: Run folder or checkpoint of a healing task.
        then: The method that sees the healed patterns, or the run folder or checkpoint of a support prediction.
        instantiate: hydra.utils.instantiate.
        device, batch_size: See BatchAnswers.

    Raises:
        UserError: ``healing`` or ``then`` is missing, no such run, or one of another task.

    Source: Bellisario & Ekeberg (2024), Sect. 5.
    """

    def __init__(
        self,
        name: str,
        healing: str | Path | None,
        then: BatchAnswers | str | Path | None,
        instantiate: Callable[..., Any],
        device: str = "auto",
        batch_size: int = 64,
    ) -> None:
        super().__init__(name, find_device(device), batch_size)
        plain = name.split(" (")[0]
        if healing is None:
            raise UserError(f"{plain} needs a network that heals: +settings.{plain}.healing=RUN.")
        if then is None:
            raise UserError(f"{plain} needs a network that finds supports: +settings.{plain}.then=RUN.")
        task, _ = load_task(find_checkpoint(healing), instantiate, Healing)
        self.task = cast(Healing, task).to(self.device).eval()
        if not isinstance(then, BatchAnswers):
            then = SupportCheckpoint(name, then, instantiate, device, batch_size)
        self.then = then
        self.knob, self.settings, self.notes = then.knob, then.settings, then.notes

    def at(self, setting: float) -> Self:
        """With the method behind at another value of its knob."""
        other = copy(self)
        other.then = self.then.at(setting)
        return other

    def supports_of(self, batch: Batch) -> Batch:
        """What the method says of the healed patterns."""
        healed = self.task.predict_step(batch)
        return self.then.supports_of(batch | {INTENSITY: healed[INTENSITY], MASK: healed[MASK]})
