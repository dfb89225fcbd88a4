"""Simulated patterns with exact labels, as batches for single-hit classification."""

from pathlib import Path

from torch import Tensor

from spi_lightning.data.hits import LABELS, HitDataset
from spi_lightning.fields import FRAME, MASK, PHOTONS, Batch
from spi_lightning.io import open_patterns

from .batches import AsBatch, SimulatedBatches


class SimulatedHitDataModule(SimulatedBatches):
    """Simulated patterns with exact labels; see SimulatedBatches for the arguments, HitDataset for a batch.

    ``simulator`` is a pattern_set.PatternSimulator that draws photons, mask and the labels.
    """

    def stored(self, path: Path) -> HitDataset:
        """The patterns of a CXI file."""
        return HitDataset(open_patterns(path))

    @property
    def as_batch(self) -> AsBatch:
        """See hit_batch."""
        return hit_batch


def hit_batch(drawn: Batch, frame: Tensor) -> Batch:
    """Photons and mask (B, 1, H, W) and the labels (B,) of drawn patterns (B, H, W) and their frame numbers (B,)."""
    images = {name: drawn[name][:, None] for name in (PHOTONS, MASK)}
    return images | {name: drawn[name] for name in LABELS} | {FRAME: frame}
