"""Simulated 3D particles and their patterns, as batches for reconstruction."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from spi_lightning.data.volumes import VolumeDataset, require_main_process, volume_batch
from spi_lightning.simulate.volumes import VolumeSimulator

from .batches import AsBatch, SimulatedBatches


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
        cache_dir: str = "cache",
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
