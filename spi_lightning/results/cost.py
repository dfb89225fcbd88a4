"""Cost of an answer: wall time, and memory above that of the start."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

_STATM = Path("/proc/self/statm")
_PERIOD = 0.02  # s


@dataclass
class Cost:
    """Cost of an answer.

    Attributes:
        seconds: Wall time of the answer, s.
        memory_mib, gpu_memory_mib: Highest use above that at the start, MiB; None where unknown.
    """

    seconds: float = 0.0
    memory_mib: float | None = None
    gpu_memory_mib: float | None = None

    @property
    def rounded(self) -> dict[str, str]:
        """Seconds and memory as text by their names in tables, without unknown ones."""
        memory = {"memory (MiB)": self.memory_mib, "GPU memory (MiB)": self.gpu_memory_mib}
        known = {name: f"{value:.0f}" for name, value in memory.items() if value is not None}
        return {"seconds": f"{self.seconds:.3g}", **known}

    @classmethod
    def total(cls, costs: Iterable[Cost]) -> Cost:
        """Cost of consecutive steps: seconds add up, memory is the highest."""
        steps = list(costs)
        memory = [each.memory_mib for each in steps if each.memory_mib is not None]
        gpu = [each.gpu_memory_mib for each in steps if each.gpu_memory_mib is not None]
        return cls(sum(each.seconds for each in steps), max(memory, default=None), max(gpu, default=None))


@contextmanager
def measured() -> Iterator[Cost]:
    """Cost of the block, complete at its end; memory is sampled every 20 ms, on Linux only."""
    cost, stop = Cost(), threading.Event()
    watch = threading.Thread(target=_watch, args=(cost, stop), daemon=True)
    gpu = torch.cuda.is_available()
    held = torch.cuda.memory_allocated() if gpu else 0
    if gpu:
        torch.cuda.reset_peak_memory_stats()
    start = time.perf_counter()
    watch.start()
    try:
        yield cost
    finally:
        stop.set()
        watch.join()
        cost.seconds = time.perf_counter() - start
        if gpu:
            cost.gpu_memory_mib = (torch.cuda.max_memory_allocated() - held) / 2**20


def _watch(cost: Cost, stop: threading.Event) -> None:
    if not _STATM.is_file():
        return
    held = _resident_mib()
    while True:
        cost.memory_mib = max(cost.memory_mib or 0.0, _resident_mib() - held)
        if stop.wait(_PERIOD):
            return


def _resident_mib() -> float:
    return int(_STATM.read_text().split()[1]) * 4096 / 2**20
