"""Whole items dealt to processes: nothing is repeated to make the shares equal."""

from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")


def shard(items: Sequence[Item], rank: int, processes: int) -> Sequence[Item]:
    """The items of process ``rank``: every ``processes``-th, so shares differ by one at most.

    Dealing whole batches leaves every batch as it would be with one process, and so every answer, bit for bit.
    """
    return items[rank::processes]


def equal_shard(items: Sequence[Item], rank: int, processes: int) -> Sequence[Item]:
    """A contiguous share of equal size for every process; len(items) % processes items at the end are left out."""
    share = len(items) // processes
    return items[rank * share : (rank + 1) * share]
