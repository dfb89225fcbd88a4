"""Trained networks answer with supports; others heal a pattern before a method sees it."""

from collections.abc import Callable
from copy import copy
from pathlib import Path
from typing import Any, Self, cast

from spi_lightning.distributed import find_device
from spi_lightning.errors import UserError
from spi_lightning.fields import DENSITY, INTENSITY, MASK, SUPPORT, Batch
from spi_lightning.methods.resized import fitted_batch, on_finer_pixels, trained_size
from spi_lightning.methods.size_mismatch import size_refused
from spi_lightning.notes import Note
from spi_lightning.results.support_answer import BatchAnswers
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
        bin: Pixels of the patterns summed along each axis before the network sees their middle.

    Raises:
        UserError: No such run or checkpoint, or one of another task; a bin below 1.
    """

    def __init__(
        self,
        name: str,
        checkpoint: str | Path,
        instantiate: Callable[..., Any],
        device: str = "auto",
        batch_size: int = 64,
        bin: int = 1,
    ) -> None:
        super().__init__(name, find_device(device), batch_size)
        if bin < 1:
            raise UserError(f"preprocess.bin={bin} must be 1 or more.")
        self.path, self.bin = find_checkpoint(checkpoint), bin
        task, self.config = load_task(self.path, instantiate, SupportPrediction)
        self.task = cast(SupportPrediction, task).to(self.device).eval()

    def supports_of(self, batch: Batch) -> Batch:
        """What the task predicts; of larger patterns than it knows from their middle, on their finer pixels.

        Raises:
            UserError: The network cannot take patterns of this shape.
        """
        shape, size = tuple(batch[INTENSITY].shape[-2:]), trained_size(self.config)
        if size is None or (shape == (size, size) and self.bin == 1):
            return self._predicted(batch)
        height, width = shape
        answer = self._predicted(fitted_batch(batch, size, self.name, self.bin))
        self.notes.say(_of_other_size(self.name, height, width, size, self.bin))
        planes = {name: answer[name].float().reshape(-1, size, size) for name in (SUPPORT, DENSITY) if name in answer}
        finer = {name: on_finer_pixels(values, (height, width), self.bin) for name, values in planes.items()}
        return answer | finer | {SUPPORT: finer[SUPPORT] > 0.5}

    def _predicted(self, batch: Batch) -> Batch:
        with size_refused(self.name, self.path, batch[INTENSITY].shape[-2:]):
            answer: Batch = self.task.predict_step(batch)
        return answer


def _of_other_size(name: str, height: int, width: int, size: int, bin: int) -> Note:
    """What was done to patterns of another size than the network's."""
    line = f"patterns of {height} x {width} pixels"
    line += f" were binned {bin} x {bin} (the density's field of view shrinks as much)," if bin > 1 else ""
    line += f" are answered from their central {size} x {size}, as the network knows them"
    if (height // bin, width // bin) != (size, size):
        line += f"; its density has pixels {height / bin / size:.3g} times as large, and is interpolated"
    return Note.of(line, name)


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
        self.parameter, self.settings, self.notes = then.parameter, then.settings, then.notes

    def at(self, setting: float) -> Self:
        """With the method behind at another value of its parameter."""
        other = copy(self)
        other.then = self.then.at(setting)
        return other

    def supports_of(self, batch: Batch) -> Batch:
        """What the method says of the healed patterns."""
        healed = self.task.predict_step(batch)
        return self.then.supports_of(batch | {INTENSITY: healed[INTENSITY], MASK: healed[MASK]})
