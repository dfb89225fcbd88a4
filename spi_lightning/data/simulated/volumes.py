"""Simulated particles and patterns as batches: from cached sets, or drawn while training."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import torch
from lightning_utilities.core.rank_zero import rank_zero_warn
from omegaconf import OmegaConf
from torch.utils.data import Dataset

from spi_lightning.data.hits import PatternBatches
from spi_lightning.data.volumes import VolumeDataset, require_main_process, volume_batch
from spi_lightning.fields import Batch
from spi_lightning.simulate.volumes import VolumeSimulator

from .hits import SEED_STEP
from .volume_set import cached_volume_set


class OnlineVolumes(Dataset[Batch]):
    """An endless supply of particles: number i is i % block_size of block i // block_size; batches see volume_batch.

    Args:
        simulator: Draws the blocks.
        seed: Of the simulation.
        device: Where particles are drawn and stay.
        kept: Blocks kept in memory, for batches that do not end where blocks end.
    """

    def __init__(self, simulator: VolumeSimulator, seed: int, device: str = "cpu", kept: int = 2) -> None:
        self.simulator, self.seed, self.device, self.kept = simulator, seed, device, kept
        self.blocks: OrderedDict[int, Batch] = OrderedDict()

    def __getitem__(self, index: Sequence[int]) -> Batch:
        wanted = torch.as_tensor(index)
        number = wanted // self.simulator.block_size
        parts, places = [], []
        for block in sorted(set(number.tolist())):
            place = (number == block).nonzero()[:, 0]
            rows = (wanted[place] - block * self.simulator.block_size).to(self.device)
            parts.append({name: values[rows] for name, values in self._block(block).items()})
            places.append(place)
        order = torch.cat(places).argsort().to(self.device)
        drawn = {name: torch.cat([part[name] for part in parts])[order] for name in parts[0]}
        return volume_batch(drawn, wanted.to(self.device), self.simulator.size)

    def _block(self, block: int) -> Batch:
        if block not in self.blocks:
            self.blocks[block] = self.simulator(block, self.seed, self.device)
            while len(self.blocks) > self.kept:
                self.blocks.popitem(last=False)
        return self.blocks[block]


class SimulatedVolumeDataModule(PatternBatches):
    """Simulated particles; train, val and test come from different seeds, so from different particles.

    Args:
        simulator: Draws the particles.
        simulate_config: Its settings as YAML text: they name the cached set and are stored in it.
        patterns: Number of particles in train, val and test; with ``online`` those of train make one epoch.
        online: Draw the training particles instead of reading them: none is seen twice.
        device: Where patterns are made and batches lie, see VolumeDataset.
        cache_dir: Folder of the sets.
        workers: Processes that write sets.
        batch_size, num_workers, seed: See PatternBatches.
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
        super().__init__(batch_size, num_workers, seed)
        require_main_process(device, num_workers)
        self.simulator, self.simulate_config, self.patterns = simulator, simulate_config, dict(patterns)
        self.online, self.device, self.cache_dir, self.workers = online, device, cache_dir, workers
        if online and num_workers > 1 and batch_size % simulator.block_size:
            rank_zero_warn(
                f"data.batch_size={batch_size} is no multiple of simulate.block_size={simulator.block_size}:"
                " several workers will draw some blocks twice."
            )

    def prepare_data(self) -> None:
        """Write the sets that are missing."""
        for split in self._stored():
            self._path(split)

    def setup(self, stage: str) -> None:
        """Open the sets."""
        for split in self._stored():
            if split not in self.splits:
                self.splits[split] = VolumeDataset(self._path(split), device=self.device)
        if self.online:
            self.splits.setdefault("train", OnlineVolumes(self.simulator, self.seed, self.device))
        if "test" in self.splits:
            self.splits["predict"] = self.splits["test"]

    def training_order(self, epoch: int) -> np.ndarray:
        """Shuffled particles of a set; online, the next ones that were never seen."""
        if not self.online:
            return super().training_order(epoch)
        return epoch * self.patterns["train"] + np.arange(self.patterns["train"])

    def patterns_in(self, split: str) -> int:
        """Number of particles of a split; online, those of one epoch."""
        return self.patterns["train"] if split == "train" and self.online else super().patterns_in(split)

    def _stored(self) -> list[str]:
        return [name for name, count in self.patterns.items() if count and not (self.online and name == "train")]

    def _path(self, split: str) -> str:
        return str(
            cached_volume_set(
                simulator=self.simulator,
                config=cast(dict[str, Any], OmegaConf.to_container(OmegaConf.create(self.simulate_config))),
                patterns=self.patterns[split],
                seed=self.seed + SEED_STEP * ("train", "val", "test").index(split),
                cache_dir=self.cache_dir,
                workers=self.workers,
                device="cpu",  # whatever the device, the same files
            )
        )
