"""Simulated sets as batches: read from sets that are made once and cached, or drawn while training."""

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import torch
from lightning_utilities.core.rank_zero import rank_zero_warn
from omegaconf import OmegaConf
from torch import Tensor
from torch.utils.data import Dataset

from spi_lightning.data.hits import PatternBatches
from spi_lightning.data.transforms import Augmentation
from spi_lightning.errors import UserError
from spi_lightning.fields import Batch
from spi_lightning.locations import CACHE

from .making import cached_set
from .parts import BlockSimulator

AsBatch = Callable[[Batch, Tensor], Batch]
SPLITS: Final = ("train", "val", "test")
SEED_STEP: Final = 1_000_000  # between the seeds of train, val and test
_BLOCKS_HELD: Final = 2  # in memory, for batches that do not end where blocks end


class OnlinePatterns(Dataset[Batch]):
    """An endless supply of simulated patterns: pattern i is number i % block_size of block i // block_size.

    Args:
        simulator: Simulator that draws the blocks.
        as_batch: Function of the simulator's fields, (B, ...) each, and frame numbers (B,) int64 that gives a batch.
        seed: Seed of the simulation.
        device: Device on which patterns are drawn and stay.
    """

    def __init__(self, simulator: BlockSimulator, as_batch: AsBatch, seed: int, device: str = "cpu") -> None:
        self.simulator, self.as_batch, self.seed, self.device = simulator, as_batch, seed, device
        self.blocks: OrderedDict[int, Batch] = OrderedDict()

    def __getitem__(self, index: Sequence[int]) -> Batch:
        frame = torch.as_tensor(index)
        block_of, row = frame // self.simulator.block_size, frame % self.simulator.block_size
        members = [(block, (block_of == block).nonzero()[:, 0]) for block in sorted(set(block_of.tolist()))]
        order = torch.cat([indices for _, indices in members]).argsort()
        pieces = [
            {name: values[row[indices].to(values.device)] for name, values in self._block(block).items()}
            for block, indices in members
        ]
        drawn = {name: torch.cat([piece[name] for piece in pieces]) for name in pieces[0]}
        return self.as_batch({name: values[order.to(values.device)] for name, values in drawn.items()}, frame)

    def _block(self, block: int) -> Batch:
        """All fields of one block, (block_size, ...) each."""
        if block not in self.blocks:
            self.blocks[block] = self.simulator(block, self.seed, self.device)
            while len(self.blocks) > _BLOCKS_HELD:
                self.blocks.popitem(last=False)
        return self.blocks[block]


class SimulatedBatches(PatternBatches, ABC):
    """Base of the data modules of simulated sets: subclasses say what a stored and what a drawn batch is.

    Sets are written once and found again by their settings. Train, val and test come from different seeds, so from
    different particles. With ``online`` the training patterns are drawn while training and none comes twice;
    validation and test sets are written all the same.

    Args:
        simulator: Simulator that draws the patterns.
        simulate_config: Settings of the simulator as YAML text: they name the cached set and are stored in it.
        patterns: Number of patterns in train, val and test; with ``online`` those of train make one epoch.
        online: Whether training patterns are drawn instead of read.
        device: Device on which patterns are drawn: ``cpu``, or ``cuda`` (online only with num_workers=0).
        cache_dir: Folder that holds the sets.
        workers: Number of processes that write sets.
        batch_size, num_workers, seed, augment: See PatternBatches. Several workers waste nothing online if the batch
            size is a multiple of the simulator's block_size.
    """

    def __init__(
        self,
        simulator: Any,
        simulate_config: str,
        patterns: Mapping[str, int],
        online: bool = False,
        device: str = "cpu",
        cache_dir: str = str(CACHE),
        workers: int = 1,
        batch_size: int = 64,
        num_workers: int = 0,
        seed: int = 0,
        augment: Augmentation = "none",
    ) -> None:
        super().__init__(batch_size, num_workers, seed, augment)
        self.simulator, self.simulate_config, self.patterns = simulator, simulate_config, dict(patterns)
        self.online, self.device, self.cache_dir, self.workers = online, device, cache_dir, workers
        self.device_of_sets = device
        self._paths: dict[str, Path] = {}
        if online and device != "cpu" and num_workers > 0:
            raise UserError(f"data.device={device} draws in the main process: set data.num_workers=0")
        if online and num_workers > 1 and batch_size % simulator.block_size:
            rank_zero_warn(
                f"data.batch_size={batch_size} is not a multiple of simulate.block_size={simulator.block_size}:"
                " several workers will draw some blocks twice."
            )

    @abstractmethod
    def stored(self, path: Path) -> Dataset[Batch]:
        """The patterns of a set that was made."""

    @property
    @abstractmethod
    def as_batch(self) -> AsBatch:
        """Function that makes a batch such as the stored ones of what the simulator draws; it must pickle."""

    def simulator_of(self, split: str) -> Any:
        """Simulator of a split; a subclass may divide its particles among the splits, else all have the same."""
        return self.simulator

    def prepare_data(self) -> None:
        """Write the sets that are missing."""
        for split in self._stored_splits():
            self._path(split)

    def setup(self, stage: str) -> None:
        """Open the sets."""
        for split in self._stored_splits():
            if split not in self.splits:
                self.splits[split] = self.stored(self._path(split))
        if self.online and self.patterns.get("train"):
            online = OnlinePatterns(self.simulator_of("train"), self.as_batch, self.seed, self.device)
            self.splits.setdefault("train", online)
        if "test" in self.splits:
            self.splits["predict"] = self.splits["test"]

    def training_order(self, epoch: int) -> np.ndarray:
        """Shuffled patterns of a set, (n,) indices; online, the next ones that were never drawn before."""
        if not self.online:
            return super().training_order(epoch)
        return epoch * self.patterns["train"] + np.arange(self.patterns["train"])

    def patterns_in(self, split: str) -> int:
        """Number of patterns of a split; online, those of one epoch."""
        return self.patterns["train"] if split == "train" and self.online else super().patterns_in(split)

    def _stored_splits(self) -> list[str]:
        return [name for name, count in self.patterns.items() if count and not (self.online and name == "train")]

    def _path(self, split: str) -> Path:
        """Path of the set of a split, made if it is missing; checked once for fit, validate and test together."""
        if split not in self._paths:
            self._paths[split] = cached_set(
                simulator=self.simulator_of(split),
                config=cast(dict[str, Any], OmegaConf.to_container(OmegaConf.create(self.simulate_config))),
                patterns=self.patterns[split],
                seed=self.seed + SEED_STEP * SPLITS.index(split),
                cache_dir=self.cache_dir,
                workers=self.workers,
                device=self.device_of_sets,
            )
        return self._paths[split]
