"""Progress bar for terminals and logs, and the type of a progress callback."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TaskID, TimeRemainingColumn
from rich.progress import Progress as RichProgress
from rich.text import Text
from torch import Tensor

from .console import Terminal
from .notes import Note
from .printable import printable

Progress = Callable[[int, int, Tensor], None]
"""Progress callback: number of steps done, number of steps in total, and the error of each start, (B,)."""

_INTERVAL: Final = 10.0  # s between lines in a log


def no_progress(step: int, steps: int, error: Tensor) -> None:
    """Progress callback that reports nothing; ``error`` is (B,)."""


@dataclass(frozen=True)
class Listener:
    """Receiver of the progress and the notes of a method.

    Attributes:
        progress: Callback for methods that take steps.
        notes: Notes given so far, in their order.
    """

    progress: Progress = no_progress
    notes: list[Note] = field(default_factory=list)

    def note(self, note: Note) -> None:
        """Add a note on the answer that is being made; equal notes are kept once."""
        if note not in self.notes:
            self.notes.append(note)


class _Description(ProgressColumn):
    """Description of a task as one printable line."""

    def render(self, task: Task) -> Text:
        return Text(printable(task.description))


class LogLines:
    """Lines on a task for a log, one every 10 s."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def line(self, task: Task, description: str, further: str = "") -> str | None:
        """Line on what is done and what remains, and ``further`` words; None if the last one is younger than 10 s."""
        if time.monotonic() - self._last < _INTERVAL:
            return None
        self._last = time.monotonic()
        total = "" if task.total is None else f" of {task.total:.0f}"
        left = "" if task.time_remaining is None else f", {task.time_remaining:.0f} s remaining"
        return f"{description.strip()}: {task.completed:.0f}{total}{left}{further}"


class ProgressBar(RichProgress):
    """Progress bar on a terminal; in a log, one line every 10 s.

    Args:
        columns: Further columns at the end of the bar.
        always: Whether to keep the bar when it is done, and to print it once where there is no terminal.
    """

    def __init__(self, *columns: ProgressColumn, always: bool = False) -> None:
        console = Terminal(stderr=True)
        standard = (_Description(), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        super().__init__(
            *standard, *columns, console=console, transient=not always, disable=not (always or console.is_terminal)
        )
        self._log = LogLines()

    def update(self, task_id: TaskID, **changes: Any) -> None:
        """Change the state of a task; in a log, print its line if the last was 10 s ago."""
        super().update(task_id, **changes)
        self._to_log(task_id)

    def advance(self, task_id: TaskID, advance: float = 1) -> None:
        """Advance a task; in a log, print its line if the last was 10 s ago."""
        super().advance(task_id, advance)
        self._to_log(task_id)

    def _to_log(self, task_id: TaskID) -> None:
        task = self._tasks[task_id]
        if not self.console.is_terminal and (line := self._log.line(task, task.description)) is not None:
            self.console.print(line, soft_wrap=True)
