"""DataModules of simulated sets: hits with exact labels, patterns of macromolecules with densities, 3D particles."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from spi_lightning.data.hits import LABELS, HitDataset
from spi_lightning.data.supports import SupportBatches, SupportDataset
from spi_lightning.data.transforms import Augmentation, coins
from spi_lightning.data.volumes import VolumeDataset, require_main_process, volume_batch
from spi_lightning.fields import DENSITY, FRAME, INTENSITY, MASK, PHOTONS, STRUCTURE, Batch
from spi_lightning.io import open_patterns
from spi_lightning.locations import CACHE
from spi_lightning.simulate.measurement import disc_diameter
from spi_lightning.simulate.volumes import VolumeSimulator

from .batches import AsBatch, SimulatedBatches
from .set_files import PatternSimulator


class SimulatedHitDataModule(SimulatedBatches):
    """Simulated patterns with exact labels; see SimulatedBatches for the arguments, HitDataset for a batch.

    ``simulator`` is a set_files.PatternSimulator that draws photons, mask and the labels; one with ``of_part`` says
    what the patterns of each split are.
    """

    def simulator_of(self, split: str) -> PatternSimulator:
        """The simulator of a split."""
        chosen: PatternSimulator = (
            self.simulator.of_part(split) if hasattr(self.simulator, "of_part") else self.simulator
        )
        return chosen

    def stored(self, path: Path) -> HitDataset:
        """The patterns of a CXI file."""
        return HitDataset(open_patterns(path, check=False), whole=False)

    @property
    def as_batch(self) -> AsBatch:
        """See hit_batch."""
        return hit_batch


def hit_batch(drawn: Batch, frame: Tensor) -> Batch:
    """Photons and mask (B, 1, H, W) and the labels (B,) of drawn patterns (B, H, W) and their frame numbers (B,)."""
    images = {name: drawn[name][:, None] for name in (PHOTONS, MASK)}
    return images | {name: drawn[name] for name in LABELS} | {FRAME: frame}


class StructureSimulator(PatternSimulator, Protocol):
    """A simulator of many structures, which can be limited to those of one split."""

    def of_part(self, part: str) -> "StructureSimulator":
        """The same with the structures of one split only."""
        ...


class Measure(Protocol):
    """simulate.Measurement, or what behaves like it."""

    def __call__(
        self, intensity: Tensor, diameter: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Measured pattern, mask and scale of (B, H, W) intensities."""
        ...


class SimulatedSupportDataModule(SimulatedBatches, SupportBatches):
    """Simulated patterns with their densities; train, val and test hold different structures. See SupportDataset.

    Args:
        simulator: Simulator that draws the patterns.
        measurement: Photons, background and missing pixels laid over the training patterns, new in every epoch; the
            simulator's own stay in all sets. None: as stored.
        simulate_config, patterns, online, device, cache_dir, workers: Settings of the sets, see SimulatedBatches.
        batch_size, num_workers, seed, augment: Settings of the batches, see SupportBatches.
    """

    def __init__(
        self,
        simulator: StructureSimulator,
        simulate_config: str,
        patterns: Mapping[str, int],
        measurement: Measure | None = None,
        online: bool = False,
        device: str = "cpu",
        cache_dir: str = str(CACHE),
        workers: int = 1,
        batch_size: int = 64,
        num_workers: int = 0,
        seed: int = 0,
        augment: Augmentation = "none",
    ) -> None:
        settings = (online, device, cache_dir, workers, batch_size, num_workers, seed, augment)
        super().__init__(simulator, simulate_config, patterns, *settings)
        self.measurement = measurement

    def simulator_of(self, split: str) -> StructureSimulator:
        """The simulator with the structures of one split."""
        limited: StructureSimulator = self.simulator.of_part(split)
        return limited

    def stored(self, path: Path) -> SupportDataset:
        """The patterns of a CXI file."""
        return SupportDataset(open_patterns(path, check=False))

    @property
    def as_batch(self) -> AsBatch:
        """See support_batch."""
        return support_batch

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Measure and mirror training patterns at random."""
        if self.measurement is not None and self._training():
            batch = measure_again(batch, self.measurement, self._draw())
        return super().on_after_batch_transfer(batch, dataloader_idx)


def support_batch(drawn: Batch, frame: Tensor) -> Batch:
    """Intensity, mask and density (B, 1, H, W) and structure (B,) of drawn patterns (B, H, W), frame numbers (B,)."""
    images = {name: drawn[name][:, None] for name in (INTENSITY, MASK, DENSITY)}
    return images | {STRUCTURE: drawn[STRUCTURE].to(drawn[INTENSITY].device), FRAME: frame}


def measure_again(batch: Batch, measurement: Measure, draw: int) -> Batch:
    """Lay a measurement over the patterns of a batch; the same draw and frames give the same noise on one device.

    Args:
        batch: Batch with intensity, mask and density (B, 1, H, W) and frame (B,).
        measurement: Photon counting, background and missing pixels.
        draw: Number of the draw, another one in every epoch.
    """
    seed = int(coins(batch[FRAME].cpu(), draw).sum())
    generator = torch.Generator().manual_seed(seed)
    measured, mask, _ = measurement(batch[INTENSITY][:, 0], disc_diameter(batch[DENSITY][:, 0]), generator)
    mask = mask[:, None] & batch[MASK]
    return batch | {INTENSITY: measured[:, None] * mask, MASK: mask}


class SimulatedVolumeDataModule(SimulatedBatches):
    """Simulated particles with their patterns; see VolumeDataset for a batch.

    Args:
        simulator: Simulator that draws the particles.
        device: Device on which patterns are made and batches lie, see VolumeDataset; the sets are made on the CPU
            whatever the device, so that the files are the same.
        simulate_config, patterns, online, cache_dir, workers: Settings of the sets, see SimulatedBatches.
        batch_size, num_workers, seed: Settings of the batches, see PatternBatches.
    """

    def __init__(
        self,
        simulator: VolumeSimulator,
        simulate_config: str,
        patterns: Mapping[str, int],
        online: bool = False,
        device: str = "cpu",
        cache_dir: str = str(CACHE),
        workers: int = 1,
        batch_size: int = 32,
        num_workers: int = 0,
        seed: int = 0,
    ) -> None:
        require_main_process(device, num_workers)
        super().__init__(
            simulator, simulate_config, patterns, online, device, cache_dir, workers, batch_size, num_workers, seed
        )
        self.device_of_sets = "cpu"

    def stored(self, path: Path) -> VolumeDataset:
        """The particles of an HDF5 file."""
        return VolumeDataset(path, device=self.device)

    @property
    def as_batch(self) -> AsBatch:
        """See data.volumes.volume_batch."""
        return partial(volume_batch, size=self.simulator.size)
