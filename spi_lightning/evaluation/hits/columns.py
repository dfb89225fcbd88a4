"""Columns measured of every frame, cached beside the answers, independent of the decision threshold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from spi_lightning.data.frame_columns import measure_frames
from spi_lightning.distributed import find_device
from spi_lightning.evaluation.cache import Cache
from spi_lightning.fingerprint import Irrelevant
from spi_lightning.progress import Listener
from spi_lightning.results.answered import Answered, measured
from spi_lightning.results.hit_answer import HitPart


@dataclass(frozen=True)
class FrameColumns:
    """Columns (N,) of all frames of a file by name, see data.frame_columns."""

    columns: dict[str, NDArray[Any]]


@dataclass(frozen=True)
class FrameMeasurement:
    """Hit finder, beam centre and size of every frame of a file.

    Args:
        hit_threshold: Standard deviations above background from which a frame is a hit.
        device: Name of the device that measures.
        name: Name of the measurement.
    """

    hit_threshold: float
    device: Irrelevant[str] = "cpu"
    name: Irrelevant[str] = "frame columns"

    def answer(self, part: HitPart, listener: Listener) -> FrameColumns:
        """Columns of the frames of a part."""
        return FrameColumns(measure_frames(part.patterns, find_device(self.device), self.hit_threshold))

    def kept(self, part: HitPart, cache: Cache) -> dict[str, NDArray[Any]]:
        """Columns of a part by name: those kept in a cache, else measured, and kept."""
        path = cache.path(self, part)
        found = cache.load(path, FrameColumns, Listener())
        if found is None:
            with measured() as cost:
                columns = self.answer(part, Listener())
            found = cache.save(path, Answered(columns, (), cost))
        return found.answer.columns
