"""Answer of a method with its notes and cost (wall time, memory), as cache and result files hold it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, TypeVar

import torch

from spi_lightning.notes import Note

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


AnswerT = TypeVar("AnswerT")
OtherT = TypeVar("OtherT")


@dataclass(frozen=True)
class Answered(Generic[AnswerT]):
    """Answer with its notes and cost; written by codec.save, read by codec.load(path, Answered[AnswerT]).

    Attributes:
        answer: Answer of the method to one part of a question, or to all parts joined.
        notes: Notes on the answer, each once.
        cost: Cost of the answer when it was made.
        kept: Whether it was read from the cache.
    """

    answer: AnswerT
    notes: tuple[Note, ...]
    cost: Cost
    kept: bool = False

    def about(self, subject: str) -> Answered[AnswerT]:
        """The same answer with all notes under a subject, such as the name of the method."""
        return replace(self, notes=tuple(note.about(subject) for note in self.notes))


def combined(answer: OtherT, parts: Sequence[Answered[AnswerT]]) -> Answered[OtherT]:
    """Answer joined from those to all parts, with their notes and their total cost.

    Args:
        answer: Answer joined from the parts.
        parts: Answers to the parts. Seconds add up, memory is the highest; the answer counts as kept if all parts are.
    """
    notes = dict.fromkeys(note for part in parts for note in part.notes)
    cost = Cost.total(part.cost for part in parts)
    return Answered(answer, tuple(notes), cost, all(part.kept for part in parts))
