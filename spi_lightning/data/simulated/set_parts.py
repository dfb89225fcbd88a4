"""The parts of a simulated set: which blocks belong to each, and the processes that make them."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.fields import DISTANCE, INTENSITY, MASK, PHOTON_ENERGY, PHOTONS, PIXEL_SIZE
from spi_lightning.io import CxiWriter, open_patterns

GEOMETRY: Final = (PHOTON_ENERGY, DISTANCE, PIXEL_SIZE)
_PART_PIXELS: Final = 1 << 23  # 512 patterns of 128 x 128: what a worker holds in memory and loses when interrupted


class Simulator(Protocol):
    """Draws blocks of patterns, each fully determined by the simulator's settings, the seed and the block's number."""

    block_size: int
    shape: tuple[int, int]

    def __call__(self, block: int, seed: int, device: str = "cpu") -> dict[str, Tensor]:
        """The names of fields.py for block_size patterns: photons (N, H, W), mask (N, H, W) bool, labels (N, ...).

        Instead of photons there may be an intensity; what is not whole numbers is stored as float32.
        """
        ...


class WorkerKilledError(UserError):
    """A simulating process died; its part can be made by another run."""


@dataclass(frozen=True)
class Part:
    """Some blocks of a set and the file they go to; the last block of a set may be cut short."""

    path: Path
    blocks: range
    patterns: int


Making = Callable[[Any, int, Part, str], Part]  # of simulator, seed, part and device


def plan_parts(simulator: Simulator, patterns: int, folder: Path) -> list[Part]:
    """Cut a set into parts, the same ones whatever the number of workers, so that another run may resume them."""
    size, (height, width) = simulator.block_size, simulator.shape
    blocks = -(-patterns // size)
    step = max(1, min(_PART_PIXELS // (size * height * width), blocks // 8))
    starts = range(0, blocks, step)
    return [
        Part(
            folder / f"{start:08d}.cxi",
            range(start, min(start + step, blocks)),
            min((start + step) * size, patterns) - start * size,
        )
        for start in starts
    ]


def make_parts(
    simulator: Any,
    seed: int,
    parts: list[Part],
    workers: int,
    device: str,
    make: Making | None = None,
    is_whole: Callable[[Path, int], bool] | None = None,
) -> Iterator[Part]:
    """Make the parts that are missing; yields every part as soon as it is there.

    Workers finish their block and stop when this process is interrupted, and end themselves when it is killed.

    Args:
        simulator: Draws the blocks of a part.
        seed: Of the set.
        parts: To be made, see plan_parts.
        workers: Processes; on another device than the CPU one is used.
        device: Where the simulator computes.
        make: Draws and writes one part, by default as CXI.
        is_whole: Whether a part, of this many patterns, is there; one that is damaged is made anew.

    Raises:
        WorkerKilledError: A worker was killed.
        UserError: What CxiWriter raises.
    """
    make, is_whole = make or _make_part, is_whole or is_readable
    missing = [part for part in parts if not is_whole(part.path, part.patterns)]
    yield from (part for part in parts if part not in missing)
    if workers == 1 or device != "cpu" or len(missing) < 2:
        for part in missing:
            yield make(simulator, seed, part, device)
        return
    # Forked like a DataLoader's workers, and like them with one torch thread, which is what makes it safe.
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    stop = context.Event()
    with ProcessPoolExecutor(min(workers, len(missing)), context, _start_worker, (stop, simulator, seed, make)) as pool:
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


def is_readable(path: Path, patterns: int) -> bool:
    """Whether a CXI file is there, whole as far as its ends tell, and of the right length."""
    if not path.exists():
        return False
    try:
        file = open_patterns(path, mask_convention="cxi", check=False)
        file.read_stored([0, len(file) - 1])
        return len(file) == patterns
    except UserError:
        return False


class _StoppedError(Exception):
    """The parent process asked its workers to stop."""


_stop: Event | None = None
_simulator: Any
_seed: int
_make: Making


def _start_worker(stop: Event, simulator: Any, seed: int, make: Making) -> None:
    global _stop, _simulator, _seed, _make
    _stop, _simulator, _seed, _make = stop, simulator, seed, make
    torch.set_num_threads(1)
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # they may reach all processes; the parent tells us to stop
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def follow_parent() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=follow_parent, daemon=True).start()


def _make_part_in_worker(part: Part) -> Part:
    return _make(_simulator, _seed, part, "cpu")


def _make_part(simulator: Simulator, seed: int, part: Part, device: str) -> Part:
    """Draw the blocks of one part and write them; nothing is written before all are drawn."""
    blocks = []
    for block in part.blocks:
        if _stop is not None and _stop.is_set():
            raise _StoppedError
        blocks.append({name: values.cpu().numpy() for name, values in simulator(block, seed, device).items()})
    drawn = {name: np.concatenate([block[name] for block in blocks])[: part.patterns] for name in blocks[0]}
    pattern = drawn.pop(PHOTONS if PHOTONS in drawn else INTENSITY)
    labels = {name: values for name, values in drawn.items() if name not in (MASK, *GEOMETRY)}
    with CxiWriter(
        part.path,
        simulator.shape,
        part.patterns,
        _stored_as(pattern),
        {name: (values.shape[1:], values.dtype) for name, values in labels.items()},
        compression="bitshuffle",
    ) as cxi:
        cxi.write(0, pattern, drawn[MASK], labels, {name: drawn[name] for name in GEOMETRY})
    return part


def _stored_as(pattern: NDArray[Any]) -> str:
    """The smallest type that holds counts, float32 for intensities."""
    if not np.array_equal(pattern, np.rint(pattern)):
        return "float32"
    return "uint16" if pattern.max(initial=0) <= np.iinfo(np.uint16).max else "int32"
