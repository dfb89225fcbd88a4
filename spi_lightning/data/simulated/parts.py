"""Parts of a simulated set: which blocks belong to each, and the processes that draw and write them."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spi_lightning.errors import UserError

Drawn = dict[str, NDArray[Any]]


class BlockSimulator(Protocol):
    """Draws blocks of patterns, each fully determined by the simulator's settings, the seed and the block's number."""

    block_size: int

    def __call__(self, block: int, seed: int, device: str = "cpu") -> dict[str, Tensor]:
        """The names of fields.py for block_size patterns, (block_size, ...) each."""
        ...


@dataclass(frozen=True)
class Part:
    """Consecutive blocks of a set and the file that holds them; the last block of a set may be cut short."""

    path: Path
    blocks: range
    patterns: int


class SimulatedSet(Protocol):
    """Kind of simulated set: the simulator that draws it, and the layout of its parts and of the whole on disk."""

    @property
    def suffix(self) -> str:
        """Ending of the files, with its dot."""
        ...

    @property
    def simulator(self) -> Any:
        """Simulator that draws the blocks, a BlockSimulator."""
        ...

    @property
    def attributes(self) -> dict[str, Any]:
        """Attributes of the file in addition to the settings of the simulation."""
        ...

    def require_valid(self, path: Path, patterns: int) -> None:
        """Raise UserError, before hours of work, for settings that cannot be written."""
        ...

    def blocks_per_part(self, blocks: int) -> int:
        """Number of blocks in a part of a set of ``blocks`` blocks; independent of the number of workers."""
        ...

    def write_part(self, path: Path, drawn: Drawn) -> None:
        """Write the patterns of a part, whole or not at all."""
        ...

    def is_whole(self, path: Path, patterns: int) -> bool:
        """Whether a part or set exists, has a readable first and last pattern, and the right number of patterns."""
        ...

    def join(self, parts: list[Part], path: Path, attributes: dict[str, Any]) -> Iterator[int]:
        """Copy parts into one file; yields how many patterns were copied."""
        ...


class WorkerKilledError(UserError):
    """A simulating process died; its part can be made by another run."""


def plan_parts(kind: SimulatedSet, patterns: int, folder: Path) -> list[Part]:
    """Cut a set into parts, the same ones whatever the number of workers, so that another run may resume them."""
    size = kind.simulator.block_size
    blocks = -(-patterns // size)
    step = kind.blocks_per_part(blocks)
    return [
        Part(
            folder / f"{start:08d}{kind.suffix}",
            range(start, min(start + step, blocks)),
            min((start + step) * size, patterns) - start * size,
        )
        for start in range(0, blocks, step)
    ]


def make_parts(kind: SimulatedSet, seed: int, parts: list[Part], workers: int, device: str) -> Iterator[Part]:
    """Make the parts that are missing or damaged; yields every part as soon as it is there.

    Workers finish their block and stop when this process is interrupted, and end themselves when it is killed.

    Args:
        kind: Simulator and layout of the set.
        seed: Seed of the set.
        parts: Parts of the set, see plan_parts.
        workers: Number of processes; on another device than the CPU one is used.
        device: Device on which the simulator computes.

    Raises:
        WorkerKilledError: A worker was killed.
        UserError: A part cannot be written.
    """
    missing = [part for part in parts if not kind.is_whole(part.path, part.patterns)]
    yield from (part for part in parts if part not in missing)
    if workers == 1 or device != "cpu" or len(missing) < 2:
        for part in missing:
            yield _make_part(kind, seed, part, device)
        return
    # Forked like a DataLoader's workers, and like them with one torch thread, which is what makes it safe.
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    stop = context.Event()
    with ProcessPoolExecutor(min(workers, len(missing)), context, _start_worker, (stop, kind, seed)) as pool:
        futures: list[Future[Part]] = []
        try:
            futures += [pool.submit(_make_part_in_worker, part) for part in missing]
            for future in as_completed(futures):
                yield future.result()
        except BrokenProcessPool as error:
            raise WorkerKilledError(
                "a simulating process was killed, perhaps for want of memory: what was finished is kept; "
                "run again with a smaller workers="
            ) from error
        finally:
            stop.set()
            for future in futures:
                future.cancel()


class _StoppedError(Exception):
    """The parent process asked its workers to stop."""


_stop: Event | None = None
_kind: SimulatedSet
_seed: int


def _start_worker(stop: Event, kind: SimulatedSet, seed: int) -> None:
    global _stop, _kind, _seed
    _stop, _kind, _seed = stop, kind, seed
    torch.set_num_threads(1)
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # they may reach all processes; the parent sets ``stop``
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def follow_parent() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=follow_parent, daemon=True).start()


def _make_part_in_worker(part: Part) -> Part:
    return _make_part(_kind, _seed, part, "cpu")


def _make_part(kind: SimulatedSet, seed: int, part: Part, device: str) -> Part:
    """Draw the blocks of one part and write them; nothing is written before all are drawn."""
    blocks: list[Drawn] = []
    for block in part.blocks:
        if _stop is not None and _stop.is_set():
            raise _StoppedError
        drawn = kind.simulator(block, seed, device)
        blocks.append({name: values.cpu().numpy() for name, values in drawn.items()})
    names = blocks[0]
    kind.write_part(
        part.path, {name: np.concatenate([block[name] for block in blocks])[: part.patterns] for name in names}
    )
    return part
