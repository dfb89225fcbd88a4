"""Simulated patterns as batches: from cached sets, or drawn while training."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import torch
from lightning_utilities.core.rank_zero import rank_zero_warn
from omegaconf import OmegaConf
from torch.utils.data import Dataset

from spi_lightning.data.hits import LABELS, HitDataset, PatternBatches
from spi_lightning.data.transforms import Augmentation
from spi_lightning.errors import UserError
from spi_lightning.fields import FRAME, MASK, PHOTONS, Batch
from spi_lightning.io import open_patterns

from .one_file import cached_set
from .set_parts import Simulator

SEED_STEP = 1_000_000  # between the seeds of train, val and test


class OnlineHits(Dataset[Batch]):
    """An endless supply of simulated patterns: pattern i is number i % block_size of block i // block_size.

    Args:
        simulator: Draws the blocks.
        seed: Of the simulation.
        device: Where the patterns are drawn and stay.
        kept: Blocks kept in memory, for batches that do not end where blocks end.
    """

    def __init__(self, simulator: Simulator, seed: int, device: str = "cpu", kept: int = 2) -> None:
        self.simulator, self.seed, self.device, self.kept = simulator, seed, device, kept
        self.blocks: OrderedDict[int, Batch] = OrderedDict()

    def __getitem__(self, index: Sequence[int]) -> Batch:
        wanted = torch.as_tensor(index)
        number = wanted // self.simulator.block_size
        parts, places = [], []
        for block in sorted(set(number.tolist())):
            place = (number == block).nonzero()[:, 0]
            rows = wanted[place] - block * self.simulator.block_size
            parts.append({name: values[rows.to(values.device)] for name, values in self._block(block).items()})
            places.append(place)
        order = torch.cat(places).argsort()
        batch = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
        batch = {name: values[order.to(values.device)] for name, values in batch.items()} if len(parts) > 1 else batch
        return batch | {FRAME: wanted}

    def _block(self, block: int) -> Batch:
        """Photons and mask (N, 1, H, W) and the labels of one block."""
        if block not in self.blocks:
            drawn = self.simulator(block, self.seed, device=self.device)
            self.blocks[block] = {name: drawn[name] for name in LABELS} | {
                PHOTONS: drawn[PHOTONS][:, None],
                MASK: drawn[MASK][:, None],
            }
            while len(self.blocks) > self.kept:
                self.blocks.popitem(last=False)
        return self.blocks[block]


class SimulatedHitDataModule(PatternBatches):
    """Simulated patterns with exact labels; train, val and test come from different seeds, so from different particles.

    Sets are written once, as CXI, and found again by their settings. With ``online`` the training patterns are drawn
    while training and no pattern is seen twice; validation and test sets are written all the same.

    Args:
        simulator: Draws the patterns.
        simulate_config: Its settings as YAML text: they name the cached set and are stored in it.
        patterns: Number of patterns in train, val and test; with ``online`` those of train make one epoch.
        online: Draw the training patterns instead of reading them.
        device: Where patterns are drawn: ``cpu``, or ``cuda`` (online only with num_workers=0).
        cache_dir: Folder of the sets.
        workers: Processes that write sets.
        batch_size, num_workers, seed, augment: See PatternBatches. Several workers waste nothing online if the batch
            size is a multiple of the simulator's block_size.
    """

    def __init__(
        self,
        simulator: Simulator,
        simulate_config: str,
        patterns: Mapping[str, int],
        online: bool = False,
        device: str = "cpu",
        cache_dir: str = "cache",
        workers: int = 1,
        batch_size: int = 64,
        num_workers: int = 0,
        seed: int = 0,
        augment: Augmentation = "none",
    ) -> None:
        super().__init__(batch_size, num_workers, seed, augment)
        self.simulator, self.simulate_config, self.patterns = simulator, simulate_config, dict(patterns)
        self.online, self.device, self.cache_dir, self.workers = online, device, cache_dir, workers
        if online and device != "cpu" and num_workers > 0:
            raise UserError(f"data.device={device} draws in the main process: set data.num_workers=0.")
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
                self.splits[split] = HitDataset(open_patterns(self._path(split)))
        if self.online:
            self.splits.setdefault("train", OnlineHits(self.simulator, self.seed, self.device))
        if "test" in self.splits:
            self.splits["predict"] = self.splits["test"]

    def training_order(self, epoch: int) -> np.ndarray:
        """Shuffled patterns of a set; online, the next ones that were never seen."""
        if not self.online:
            return super().training_order(epoch)
        return epoch * self.patterns["train"] + np.arange(self.patterns["train"])

    def patterns_in(self, split: str) -> int:
        """Number of patterns of a split; online, those of one epoch."""
        return self.patterns["train"] if split == "train" and self.online else super().patterns_in(split)

    def _stored(self) -> list[str]:
        return [name for name, count in self.patterns.items() if count and not (self.online and name == "train")]

    def _path(self, split: str) -> str:
        seed = self.seed + SEED_STEP * ("train", "val", "test").index(split)
        path = cached_set(
            simulator=self.simulator,
            config=cast(dict[str, Any], OmegaConf.to_container(OmegaConf.create(self.simulate_config))),
            patterns=self.patterns[split],
            seed=seed,
            cache_dir=self.cache_dir,
            workers=self.workers,
            device=self.device,
        )
        return str(path)
