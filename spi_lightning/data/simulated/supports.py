"""Simulated patterns of macromolecules as batches: from cached sets, or drawn while training."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, cast

import numpy as np
import torch
from omegaconf import OmegaConf
from torch import Tensor
from torch.utils.data import Dataset

from spi_lightning.data.supports import SupportBatches, SupportDataset
from spi_lightning.data.transforms import Augmentation, coins
from spi_lightning.errors import UserError
from spi_lightning.fields import DENSITY, FRAME, INTENSITY, MASK, STRUCTURE, Batch
from spi_lightning.io import open_patterns
from spi_lightning.simulate.measurement import disc_diameter

from .hits import SEED_STEP
from .one_file import cached_set
from .set_parts import Simulator

SPLITS = ("train", "val", "test")


class StructureSimulator(Simulator, Protocol):
    """A simulator that can be told which structures to show."""

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


class OnlineSupports(Dataset[Batch]):
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
            rows = (wanted[place] - block * self.simulator.block_size).to(self.device)
            parts.append({name: values[rows] for name, values in self._block(block).items()})
            places.append(place)
        order = torch.cat(places).argsort().to(self.device)
        return {name: torch.cat([part[name] for part in parts])[order] for name in parts[0]} | {FRAME: wanted}

    def _block(self, block: int) -> Batch:
        if block not in self.blocks:
            drawn = self.simulator(block, self.seed, device=self.device)
            images = {name: drawn[name][:, None] for name in (INTENSITY, MASK, DENSITY)}
            self.blocks[block] = images | {STRUCTURE: drawn[STRUCTURE].to(self.device)}
            while len(self.blocks) > self.kept:
                self.blocks.popitem(last=False)
        return self.blocks[block]


class SimulatedSupportDataModule(SupportBatches):
    """Simulated patterns with their densities; train, val and test show different structures.

    Sets are written once, as CXI, and found again by their settings. With ``online`` the training patterns are drawn
    while training and no pattern is seen twice.

    Args:
        simulator: Draws the patterns.
        simulate_config: Its settings as YAML text: they name the cached set and are stored in it.
        patterns: Number of patterns in train, val and test; with ``online`` those of train make one epoch.
        measurement: Photons, background and missing pixels laid over the training patterns, new in every epoch; the
            simulator's own stay in all sets. None: as stored.
        online: Draw the training patterns instead of reading them.
        device: Where patterns are drawn: ``cpu``, or ``cuda`` (online only with num_workers=0).
        cache_dir: Folder of the sets.
        workers: Processes that write sets.
        batch_size, num_workers, seed, augment: See SupportBatches.
    """

    def __init__(
        self,
        simulator: StructureSimulator,
        simulate_config: str,
        patterns: Mapping[str, int],
        measurement: Measure | None = None,
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
        self.measurement, self.online, self.device = measurement, online, device
        self.cache_dir, self.workers = cache_dir, workers
        if online and device != "cpu" and num_workers > 0:
            raise UserError(f"data.device={device} draws in the main process: set data.num_workers=0.")

    def prepare_data(self) -> None:
        """Write the sets that are missing."""
        for split in self._stored():
            self._path(split)

    def setup(self, stage: str) -> None:
        """Open the sets."""
        for split in self._stored():
            if split not in self.splits:
                self.splits[split] = SupportDataset(open_patterns(self._path(split), check=False))
        if self.online and self.patterns.get("train"):
            train = self.simulator.of_part("train")
            self.splits.setdefault("train", OnlineSupports(train, self.seed, self.device))
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

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Measure and mirror training patterns at random."""
        if self.measurement is not None and self._training():
            batch = measure_again(batch, self.measurement, self._draw())
        return super().on_after_batch_transfer(batch, dataloader_idx)

    def _stored(self) -> list[str]:
        return [name for name, count in self.patterns.items() if count and not (self.online and name == "train")]

    def _path(self, split: str) -> str:
        path = cached_set(
            simulator=self.simulator.of_part(split),
            config=cast(dict[str, Any], OmegaConf.to_container(OmegaConf.create(self.simulate_config))),
            patterns=self.patterns[split],
            seed=self.seed + SEED_STEP * SPLITS.index(split),
            cache_dir=self.cache_dir,
            workers=self.workers,
            device=self.device,
        )
        return str(path)


def measure_again(batch: Batch, measurement: Measure, draw: int) -> Batch:
    """Lay a measurement over the patterns of a batch; the same draw and frames give the same noise on one device."""
    seed = int(coins(batch[FRAME].cpu(), draw).sum())
    generator = torch.Generator().manual_seed(seed)
    measured, mask, _ = measurement(batch[INTENSITY][:, 0], disc_diameter(batch[DENSITY][:, 0]), generator)
    mask = mask[:, None] & batch[MASK]
    return batch | {INTENSITY: measured[:, None] * mask, MASK: mask}
