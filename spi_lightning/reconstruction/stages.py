"""Progress of the stages of a reconstruction: the phasing and the polish of a pattern and of its halves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from torch import Tensor

from spi_lightning.progress import Progress, ProgressBar, no_progress

Stages = Callable[[str, int, str], AbstractContextManager[Progress]]
"""Called with the title of a stage, its number of iterations and the name of its error; gives its progress."""

_EVERY: Final = 20  # iterations between changes of a bar, each of which waits for the device


@contextmanager
def bars(title: str, iterations: int, error_name: str) -> Iterator[Progress]:
    """A bar for each stage, with the iteration and the least error of the starts.

    The error of iterates is the relative Fourier error before an update, whose projections change it further; the
    densities that are written have another one.
    """
    with ProgressBar(always=True) as drawn:
        bar = drawn.add_task(title, total=iterations)

        def update(iteration: int, iterations: int, error: Tensor) -> None:
            if iteration % _EVERY == 0 or iteration == iterations:
                words = f"{title}, {error_name} {float(error.min()):.2e}"
                drawn.update(bar, completed=iteration, description=words)

        yield update


@contextmanager
def silent(title: str, iterations: int, error_name: str) -> Iterator[Progress]:
    """No progress at all."""
    yield no_progress
