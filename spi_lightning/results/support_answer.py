"""What every method of support finding gives back: a support, perhaps a density, for each frame."""

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spi_lightning.data.supports import SupportDataset
from spi_lightning.errors import UserError
from spi_lightning.fields import DENSITY, FRAME, INTENSITY, MASK, SUPPORT, Batch
from spi_lightning.io.patterns.pattern_file import PatternFile
from spi_lightning.progress import ProgressBar

from .hit_answer import Notes


@dataclass(frozen=True)
class SupportAnswer:
    """A method's answer to N frames; origin at n // 2, at any whole shift and in either twin.

    Attributes:
        name: The method.
        frame: (N,) int64, index of the pattern in its file.
        density: (N, H, W) float32, density or score of each pixel, at most 1; None from methods that have none.
        support: (N, H, W) bool.
        seconds: Wall time of the whole answer, reading included, s.
    """

    name: str
    frame: NDArray[np.int64]
    density: NDArray[np.float32] | None
    support: NDArray[np.bool_]
    seconds: float


class SupportMethod(Protocol):
    """Anything that answers patterns with supports: a checkpoint, an intersection, a phasing recipe.

    ``settings`` are the values of its one parameter, loosest last, that a trade-off curve is drawn over; ``parameter``
    names it. They are empty where the density of the answer can be cut at other levels instead.
    """

    name: str
    notes: Notes
    parameter: str
    settings: Sequence[float]

    def answer_supports(self, patterns: PatternFile, frames: NDArray[np.int64] | None = None) -> SupportAnswer:
        """Answer some frames of a file, all if None, in that order."""
        ...

    def at(self, setting: float) -> Self:
        """The same method at another value of its parameter."""
        ...


class BatchAnswers(ABC):
    """A method that answers batch by batch; subclasses say how.

    Args:
        name: Shown in tables.
        device: Where it computes.
        batch_size: Patterns computed together.
    """

    parameter: str = ""
    settings: Sequence[float] = ()

    def __init__(self, name: str, device: torch.device, batch_size: int = 64) -> None:
        if batch_size < 1:
            raise UserError(f"batch_size={batch_size} must be 1 or more.")
        self.name, self.device, self.batch_size = name, device, batch_size
        self.notes = Notes()

    @abstractmethod
    def supports_of(self, batch: Batch) -> Batch:
        """intensity, mask (B, 1, H, W) and frame (B,) -> support (B, H, W) bool and perhaps density (B, H, W)."""

    def at(self, setting: float) -> Self:
        """The same method at another value of its parameter; methods without ``settings`` have none."""
        raise NotImplementedError(f"{self.name} has no parameter to vary")

    def answer_supports(self, patterns: PatternFile, frames: NDArray[np.int64] | None = None) -> SupportAnswer:
        """Answer some frames of a file, all if None, in that order.

        Raises:
            UserError: A frame cannot be read or holds no intensities, or the method cannot take patterns of this shape.
        """
        start = time.perf_counter()
        frame = np.arange(len(patterns)) if frames is None else patterns.check_indices(frames)
        with torch.inference_mode():
            parts = [self._answered(batch) for batch in self._batches(patterns, frame)]
        if not parts:
            raise UserError(f"{patterns.path}: holds no frames.")
        density = np.concatenate([part[DENSITY] for part in parts]) if DENSITY in parts[0] else None
        support = np.concatenate([part[SUPPORT] for part in parts])
        return SupportAnswer(self.name, frame, density, support, time.perf_counter() - start)

    def _answered(self, batch: Batch) -> dict[str, NDArray[Any]]:
        answer = self.supports_of({name: values.to(self.device) for name, values in batch.items()})
        kept = {SUPPORT: answer[SUPPORT].bool()}
        if DENSITY in answer:
            kept[DENSITY] = answer[DENSITY].float()
        return {name: _plane(values).cpu().numpy() for name, values in kept.items()}

    def _batches(self, patterns: PatternFile, frame: NDArray[np.int64]) -> Iterator[Batch]:
        dataset = SupportDataset(patterns, frame)
        with ProgressBar() as progress:
            task = progress.add_task(self.name, total=len(frame))
            for start in range(0, len(frame), self.batch_size):
                part = range(start, min(start + self.batch_size, len(frame)))
                batch = dataset[part]
                yield {name: batch[name] for name in (INTENSITY, MASK, FRAME)}
                progress.update(task, completed=part.stop)


def _plane(values: Tensor) -> Tensor:
    """(B, 1, H, W) or (B, H, W) -> (B, H, W)."""
    return values[:, 0] if values.ndim == 4 else values
