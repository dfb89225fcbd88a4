"""Base of the methods that find supports batch by batch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Final, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spi_lightning.data.supports import SupportDataset
from spi_lightning.distributed import find_device
from spi_lightning.errors import UserError
from spi_lightning.fields import DENSITY, FRAME, INTENSITY, MASK, SUPPORT, Batch
from spi_lightning.fingerprint import Irrelevant, require_fingerprint
from spi_lightning.progress import Listener, ProgressBar
from spi_lightning.results.layout import require_layout
from spi_lightning.results.support_answer import SupportAnswer, SupportPart

_LAYOUT: Final = {SUPPORT: "tensor any B H W", DENSITY: "tensor real B H W or None"}


@dataclass(frozen=True, kw_only=True)
class SupportMethod(ABC):
    """Method of support finding that answers batch by batch: a trained network, an intersection, a phasing recipe.

    Args:
        name: Name of the method in tables.
        device: Device of the computation: ``auto``, ``cpu``, ``cuda`` or ``cuda:1``.
        batch_size: Number of patterns computed together.

    Attributes:
        parameter: Name of the one parameter that a trade-off curve is drawn over; empty where the density of the
            answer can be cut at other levels instead.
        settings: Values of that parameter, from the tightest support to the loosest.
    """

    parameter: ClassVar[str] = ""
    settings: ClassVar[Sequence[float]] = ()

    name: Irrelevant[str]
    device: Irrelevant[str] = "auto"
    batch_size: Irrelevant[int] = 64

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise UserError(f"batch_size={self.batch_size} must be 1 or more")
        require_fingerprint(self)
        _ = self.on

    @cached_property
    def on(self) -> torch.device:
        """Device of the computation."""
        return find_device(self.device)

    @abstractmethod
    def supports_of(self, batch: Batch, listener: Listener) -> Batch:
        """Support and perhaps density of each pattern of a batch.

        Args:
            batch: intensity and mask (B, 1, H, W), frame (B,).
            listener: Takes notes on the answer.

        Returns:
            support (B, H, W) bool and perhaps density (B, H, W).
        """

    def at(self, setting: float) -> Self:
        """The same method at another value of its parameter."""
        changed: dict[str, Any] = {self.parameter: setting}
        return replace(self, **changed)

    def answer(self, part: SupportPart, listener: Listener) -> SupportAnswer:
        """Supports of the patterns of a part, in its order.

        Raises:
            UserError: A frame cannot be read or holds no intensities, or the method cannot take patterns of this shape.
        """
        with torch.inference_mode():
            parts = [self._answered(batch, listener) for batch in self._batches(part)]
        if not parts:
            raise UserError(f"{part.patterns.path}: holds no frames")
        density = np.concatenate([part[DENSITY] for part in parts]) if DENSITY in parts[0] else None
        return SupportAnswer(np.concatenate([part[SUPPORT] for part in parts]), density)

    def _answered(self, batch: Batch, listener: Listener) -> dict[str, NDArray[Any]]:
        answer: Any = self.supports_of({name: values.to(self.on) for name, values in batch.items()}, listener)
        if isinstance(answer, Mapping):
            answer = {name: _plane(answer[name]) for name in _LAYOUT if answer.get(name) is not None}
        count, _, height, width = batch[INTENSITY].shape
        require_layout(answer, _LAYOUT, {"B": count, "H": height, "W": width}, f"{self.name}: supports_of()")
        answer[SUPPORT] = answer[SUPPORT].bool()
        return {name: (values.float() if name == DENSITY else values).cpu().numpy() for name, values in answer.items()}

    def _batches(self, part: SupportPart) -> Iterator[Batch]:
        dataset, count = SupportDataset(part.patterns, part.frame), len(part.frame)
        with ProgressBar() as progress:
            task = progress.add_task(self.name, total=count)
            for start in range(0, count, self.batch_size):
                rows = range(start, min(start + self.batch_size, count))
                batch = dataset[rows]
                yield {name: batch[name] for name in (INTENSITY, MASK, FRAME)}
                progress.update(task, completed=rows.stop)


def _plane(values: Any) -> Any:
    """A tensor (B, 1, H, W) as (B, H, W); anything else as it is."""
    return values[:, 0] if isinstance(values, Tensor) and values.ndim == 4 and values.shape[1] == 1 else values
