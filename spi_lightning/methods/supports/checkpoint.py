"""Trained networks as methods of support finding, and methods that are applied to healed patterns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self, cast

from spi_lightning.errors import UserError
from spi_lightning.fields import DENSITY, INTENSITY, MASK, SUPPORT, Batch
from spi_lightning.fingerprint import Irrelevant
from spi_lightning.methods.resized import fitted_batch, on_finer_pixels, size_refused, trained_size
from spi_lightning.notes import Note
from spi_lightning.progress import Listener
from spi_lightning.tasks.checkpoint import load_task
from spi_lightning.tasks.checkpoint_files import find_checkpoint
from spi_lightning.tasks.healing import Healing
from spi_lightning.tasks.support_prediction import SupportPrediction

from .batches import SupportMethod


@dataclass(frozen=True, kw_only=True)
class SupportCheckpoint(SupportMethod):
    """Checkpoint of a support prediction, cut at the threshold that its validation found.

    Args:
        checkpoint: Run folder (its best checkpoint is taken), .ckpt file, or name of shipped weights.
        instantiate: Maker of objects from configs with ``_target_``, hydra.utils.instantiate.
        bin: Number of pixels summed along each axis before the middle of a pattern is cut for the network.

    Raises:
        UserError: No such run or checkpoint, or one of another task; a bin below 1.
    """

    checkpoint: Path
    instantiate: Irrelevant[Callable[..., Any]]
    bin: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "checkpoint", find_checkpoint(self.checkpoint))
        super().__post_init__()
        if self.bin < 1:
            raise UserError(f"preprocess.bin={self.bin} must be 1 or more")
        _ = self.task

    @cached_property
    def _loaded(self) -> tuple[SupportPrediction, dict[str, Any]]:
        task, config = load_task(self.checkpoint, self.instantiate, SupportPrediction)
        return task.to(self.on), config

    @property
    def task(self) -> SupportPrediction:
        """Trained support prediction on its device."""
        return self._loaded[0]

    def supports_of(self, batch: Batch, listener: Listener) -> Batch:
        """Prediction of the task; of patterns larger than those of training from their middle, on the finer pixels.

        Raises:
            UserError: The network cannot take patterns of this shape.
        """
        shape, size = tuple(batch[INTENSITY].shape[-2:]), trained_size(self._loaded[1])
        if size is None or (shape == (size, size) and self.bin == 1):
            return self._predicted(batch)
        height, width = shape
        answer = self._predicted(fitted_batch(batch, size, self.name, self.bin))
        listener.note(_note_on_size(height, width, size, self.bin))
        planes = {name: answer[name].float().reshape(-1, size, size) for name in (SUPPORT, DENSITY) if name in answer}
        finer = {name: on_finer_pixels(values, (height, width), self.bin) for name, values in planes.items()}
        return answer | finer | {SUPPORT: finer[SUPPORT] > 0.5}

    def _predicted(self, batch: Batch) -> Batch:
        with size_refused(self.name, self.checkpoint, batch[INTENSITY].shape[-2:]):
            answer: Batch = self.task.predict_step(batch)
        return answer


def _note_on_size(height: int, width: int, size: int, bin: int) -> Note:
    """Note on patterns of another size than those of training: binning, middle and interpolation; all in pixels."""
    line = f"patterns of {height} x {width} pixels"
    line += f" were binned {bin} x {bin} (the density's field of view shrinks as much)," if bin > 1 else ""
    line += f" are answered from their central {size} x {size}, the size of the training patterns"
    if (height // bin, width // bin) != (size, size):
        line += f"; its density has pixels {height / bin / size:.3g} times as large, and is interpolated"
    return Note.of(line)


@dataclass(frozen=True, kw_only=True)
class Healed(SupportMethod):
    """Method applied to patterns that a healing network has denoised and completed.

    Args:
        healing: Run folder, checkpoint or name of a healing task.
        then: Method that gets the healed patterns, or the run folder, checkpoint or name of a support prediction.
        instantiate: Maker of objects from configs with ``_target_``, hydra.utils.instantiate.

    Raises:
        UserError: ``healing`` or ``then`` is missing, no such run, or one of another task.

    Source: Bellisario & Ekeberg (2024), Sect. 5.
    """

    healing: Path | None
    then: SupportMethod | Path | None
    instantiate: Irrelevant[Callable[..., Any]]

    def __post_init__(self) -> None:
        plain = self.name.split(" (")[0]
        if self.healing is None:
            raise UserError(f"{plain} needs a healing network: +settings.{plain}.healing=RUN")
        if self.then is None:
            raise UserError(f"{plain} needs a network that finds supports: +settings.{plain}.then=RUN")
        object.__setattr__(self, "healing", find_checkpoint(self.healing))
        if not isinstance(self.then, SupportMethod):
            options: dict[str, Any] = {"device": self.device, "batch_size": self.batch_size}
            network = SupportCheckpoint(name=self.name, checkpoint=self.then, instantiate=self.instantiate, **options)
            object.__setattr__(self, "then", network)
        super().__post_init__()
        _ = self.task

    @property
    def _then(self) -> SupportMethod:
        return cast(SupportMethod, self.then)

    @property
    def parameter(self) -> str:  # type: ignore[override]
        """Name of the parameter of the method ``then``."""
        return self._then.parameter

    @property
    def settings(self) -> Sequence[float]:  # type: ignore[override]
        """Values of the parameter of the method ``then`` along its trade-off curve."""
        return self._then.settings

    @cached_property
    def task(self) -> Healing:
        """Trained healing task on its device."""
        return load_task(cast(Path, self.healing), self.instantiate, Healing)[0].to(self.on)

    def at(self, setting: float) -> Self:
        """The same with another value of the parameter of the method ``then``."""
        return replace(self, then=self._then.at(setting))

    def supports_of(self, batch: Batch, listener: Listener) -> Batch:
        """Supports that the method ``then`` finds of the healed patterns."""
        healed = self.task.predict_step(batch)
        return self._then.supports_of(batch | {INTENSITY: healed[INTENSITY], MASK: healed[MASK]}, listener)
