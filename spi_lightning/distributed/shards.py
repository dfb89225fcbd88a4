"""Shards of a sequence for distributed processes, without repeated items."""

from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")


def shard(items: Sequence[Item], rank: int, processes: int) -> Sequence[Item]:
    """Items of process ``rank``: every ``processes``-th one, so that shards differ in length by one at most.

    With batches as items, every batch is as with one process, and so are the results, bit for bit.
    """
    return items[rank::processes]


def equal_shard(items: Sequence[Item], rank: int, processes: int) -> Sequence[Item]:
    """Contiguous shard of process ``rank``, of equal length for all; the last len(items) % processes are left out."""
    length = len(items) // processes
    return items[rank * length : (rank + 1) * length]
