"""The one progress bar, and the one shape of a callback that reports progress."""

import time
from collections.abc import Callable
from typing import Any, Final

from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TaskID, TimeRemainingColumn
from rich.progress import Progress as RichProgress
from rich.text import Text
from torch import Tensor

from .console import Terminal
from .printable import printable

Progress = Callable[[int, int, Tensor], None]
"""Called with the steps done, the steps in all and the error of each start, (B,)."""

_EVERY: Final = 30.0  # s between lines in a log


def no_progress(step: int, steps: int, error: Tensor) -> None:
    """Report nothing."""


class _Description(ProgressColumn):
    """What a bar is about, as one line."""

    def render(self, task: Task) -> Text:
        return Text(printable(task.description))


class ProgressBar(RichProgress):
    """A bar on a terminal; in a log a line every 30 s, so that a batch job shows that it is alive.

    Args:
        columns: More columns, at the end.
        always: Whether to keep the bar when it is done, and print it once where there is no terminal.
    """

    def __init__(self, *columns: ProgressColumn, always: bool = False) -> None:
        console = Terminal(stderr=True)
        usual = (_Description(), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        super().__init__(
            *usual, *columns, console=console, transient=not always, disable=not (always or console.is_terminal)
        )
        self._last = time.monotonic()

    def update(self, task_id: TaskID, **changes: Any) -> None:
        """Change what a bar shows; in a log, print its line if the last is 30 s ago."""
        super().update(task_id, **changes)
        self._to_log(task_id)

    def advance(self, task_id: TaskID, advance: float = 1) -> None:
        """Move a bar on; in a log, print its line if the last is 30 s ago."""
        super().advance(task_id, advance)
        self._to_log(task_id)

    def _to_log(self, task_id: TaskID) -> None:
        if self.console.is_terminal or time.monotonic() - self._last < _EVERY:
            return
        self._last = time.monotonic()
        task = self._tasks[task_id]
        total = "" if task.total is None else f" of {task.total:.0f}"
        left = "" if task.time_remaining is None else f", {task.time_remaining:.0f} s to go"
        self.console.print(f"{task.description.strip()}: {task.completed:.0f}{total}{left}", soft_wrap=True)
