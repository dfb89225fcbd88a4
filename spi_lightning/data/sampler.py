"""Batch samplers as pure functions of seed and epoch, so that runs can be resumed in mid-epoch."""

from collections.abc import Callable, Iterator
from typing import Any, cast

import numpy as np
from torch.utils.data import DataLoader, Dataset, Sampler

from spi_lightning.distributed import equal_shard, shard
from spi_lightning.fields import Batch

Order = Callable[[int], np.ndarray]


def finished(batch: Any) -> Batch:
    """Identity collate function, as datasets return finished batches."""
    return cast(Batch, batch)


class EpochBatches(Sampler[list[int]]):
    """Sampler of the training batches of one process: index lists, equally long in every process.

    Batch k of an epoch is the k-th piece of that epoch's order, divided between the processes: two processes at the
    same global batch size get the batches of one. Patterns left over at the end of an epoch are not used in it (others
    are left over in the next), unless there are no others.

    Args:
        order: Function from the epoch to the pattern indices in the order of that epoch.
        length: Number of indices in that order.
        batch_size: Patterns per step, over all processes together.
        rank, processes: Index of this process and number of processes.
        limit: Largest number of batches of an epoch, or the share that is used.
    """

    def __init__(
        self, order: Order, length: int, batch_size: int, rank: int = 0, processes: int = 1, limit: int | float = 1.0
    ) -> None:
        self.order, self.rank, self.processes = order, rank, processes
        self.batch_size, self.length = min(batch_size, length), length
        whole = length // self.batch_size if self.batch_size else 0
        self.batches = int(whole * limit) if isinstance(limit, float) else min(whole, limit)
        self.in_epoch = length if self.batches == whole else self.batches * self.batch_size  # patterns
        self.epoch = self.position = 0
        self.shift = 0  # patterns, in an epoch begun with another batch size

    def resume_at(self, epoch: int, position: int, batch_size: int | None = None, samples: int | None = None) -> None:
        """Resume in mid-epoch, with the patterns that were not used in it yet.

        Batches of another size end with the epoch, the last of them perhaps short, so ``position`` is counted from its
        end.

        Args:
            epoch, position: Epoch, and number of its batches done.
            batch_size, samples: Size of those batches, and number of patterns in them; None: the current size.
        """
        self.epoch, self.position, self.shift = epoch, position, 0
        before = min(batch_size or self.batch_size, self.length)
        used = position * before if samples is None else samples
        if before and position >= self.in_epoch // before:
            self.position = self.batches
        elif self.batch_size and used != position * self.batch_size:
            self.position = self.batches - max(1, (self.in_epoch - used) // self.batch_size)
            self.shift = used - self.position * self.batch_size

    def progress(self) -> dict[str, int]:
        """Arguments of resume_at for the current position."""
        used = self.position * self.batch_size + self.shift
        return {
            "epoch": self.epoch,
            "position": self.position,
            "batch_size": self.batch_size,
            "samples": min(used, self.length),
        }

    def __len__(self) -> int:
        """Number of batches of a whole epoch."""
        return self.batches

    def __iter__(self) -> Iterator[list[int]]:
        order = self.order(self.epoch)
        for k in range(self.position, self.batches):
            start = k * self.batch_size + self.shift
            piece = order[start : start + self.batch_size].tolist()
            yield list(equal_shard(piece, self.rank, self.processes))


class ResumableLoader(DataLoader[Batch]):
    """Loader of training batches that advances epoch and position of its sampler with each batch returned.

    The position counts the batches returned to the main process, not those that workers have already fetched. Its owner
    stores it and sets it before the first batch to resume a run.
    """

    def __init__(self, dataset: Dataset[Batch], sampler: EpochBatches, **options: Any) -> None:
        super().__init__(dataset, batch_size=None, sampler=sampler, collate_fn=finished, **options)
        self.batches = sampler

    @property
    def epoch(self) -> int:
        """Epoch of the batch returned last."""
        return self.batches.epoch

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]
        if self.batches.position >= len(self.batches):
            self.batches.epoch, self.batches.position, self.batches.shift = self.batches.epoch + 1, 0, 0
        for batch in super().__iter__():
            self.batches.position += 1
            yield batch


class ShardedBatches(Sampler[list[int]]):
    """Sampler of the evaluation batches of one process: consecutive patterns, whole batches in turn, none twice.

    A process without a batch gets an empty one, so that all processes reach the gathering of results.
    """

    def __init__(self, length: int, batch_size: int, rank: int = 0, processes: int = 1) -> None:
        starts = range(0, length, batch_size)
        pieces = [range(start, min(start + batch_size, length)) for start in starts]
        self.pieces = shard(pieces, rank, processes) or [range(0)]

    def __len__(self) -> int:
        return len(self.pieces)

    def __iter__(self) -> Iterator[list[int]]:
        return (list(piece) for piece in self.pieces)


def shuffled(length: int, seed: int, epoch: int) -> np.ndarray:
    """Permutation of range(length) from seed and epoch alone."""
    return np.random.default_rng([seed, epoch]).permutation(length)
